"""Reads tools, and which of them may be called."""

from __future__ import annotations

from typing import Any

from provider_router.domain.calls.chat import Tool, ToolChoice, ToolUse
from provider_router.servicer.http.anthropic_messages.reading import Findings, cached_in
from provider_router.servicer.http.fields import (
    each_in,
    field_in,
    flag_in,
    list_in,
    maybe_in,
    object_in,
    one_of,
    text_in,
    word_in,
)

_MOST_NAME = 256
_PLAIN_TOOL = frozenset({"type", "name", "description", "input_schema", "strict", "cache_control"})
# They say how a tool is shown and streamed; the tool is the same without them.
_TOOL_HINTS = ("eager_input_streaming", "input_examples", "defer_loading")
_TOOL = _PLAIN_TOOL.union(_TOOL_HINTS, {"allowed_callers"})
_CHOICE = frozenset({"type", "name", "disable_parallel_tool_use"})
_USES = {"auto": ToolUse.AUTO, "any": ToolUse.REQUIRED, "tool": ToolUse.REQUIRED, "none": ToolUse.NONE}


def tools_in(value: Any, found: Findings) -> tuple[Tool, ...]:
    """The caller's own tools; those that only Anthropic's models know are foreign."""
    tools = each_in(list_in(value), lambda each: _tool(each, found))
    return tuple(tool for tool in tools if tool is not None)


def tool_choice_in(value: Any, found: Findings) -> tuple[ToolChoice, bool | None]:
    """Which tools may be called, and whether several at once; None for the provider's default."""
    choice = object_in(value)
    found.rest_of(choice, _CHOICE)
    kind = field_in(choice, "type", lambda said: one_of(said, _USES))
    name = field_in(choice, "name", _name) if kind == "tool" else ""
    alone = maybe_in(choice, "disable_parallel_tool_use", flag_in, default=False)
    return ToolChoice(_USES[kind], name), False if alone else None


def _tool(value: Any, found: Findings) -> Tool | None:
    """The caller's own tool; None for one that only Anthropic's models know."""
    tool = object_in(value)
    kind = maybe_in(tool, "type", text_in, "custom")
    if kind != "custom":
        found.add_foreign(kind, tool)
        return None
    found.rest_of(tool, _TOOL)
    if not tool.keys() <= _PLAIN_TOOL:
        found.hints.update({name: None for name in _TOOL_HINTS if tool.get(name)})
        if tool.get("allowed_callers") not in (None, [], ["direct"]):
            found.add_foreign("allowed_callers")
    return Tool(
        field_in(tool, "name", _name),
        maybe_in(tool, "description", text_in, ""),
        field_in(tool, "input_schema", object_in),
        maybe_in(tool, "strict", flag_in, None),
        cached_in(tool),
    )


def _name(value: Any) -> str:
    return word_in(value, _MOST_NAME)
