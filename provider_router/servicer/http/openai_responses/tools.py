"""Reads tools, and which of them may be asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from provider_router.domain.calls.chat import Tool, ToolChoice, ToolUse
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
from provider_router.servicer.http.openai_chat.draft import Draft

_MOST_TOOLS = 512
_MOST_NAME = 128
_NO_PARAMETERS: Mapping[str, Any] = {"type": "object", "properties": {}}
_OF_TOOL = frozenset({"type", "name", "description", "parameters", "strict"})
_USES = {"auto": ToolUse.AUTO, "none": ToolUse.NONE, "required": ToolUse.REQUIRED}


def tools_in(draft: Draft, value: Any) -> None:
    """Reads `tools` into `draft`; those that are no functions are foreign.

    Raises:
        WrongFieldError: One is wrong.
    """
    tools = each_in(list_in(value, most=_MOST_TOOLS), lambda tool: _tool(draft, object_in(tool)))
    draft.chat["tools"] = tuple(tool for tool in tools if tool is not None)


def _tool(draft: Draft, tool: Mapping[str, Any]) -> Tool | None:
    kind = field_in(tool, "type", text_in)
    if kind != "function":
        draft.lacks(kind, "tools.", tool)
        return None
    draft.others(tool, _OF_TOOL, "tools.")
    return Tool(
        name=field_in(tool, "name", _name_in),
        description=maybe_in(tool, "description", text_in, ""),
        parameters=maybe_in(tool, "parameters", object_in, _NO_PARAMETERS),
        strict=maybe_in(tool, "strict", flag_in, None),
    )


def tool_choice_in(draft: Draft, value: Any) -> None:
    """Reads `tool_choice` into `draft`.

    Raises:
        WrongFieldError: It is no choice of the dialect.
    """
    if type(value) is str:
        draft.chat["tool_choice"] = ToolChoice(_USES[one_of(value, _USES)])
        return
    choice = object_in(value)
    kind = field_in(choice, "type", text_in)
    if kind == "function":
        draft.chat["tool_choice"] = ToolChoice(ToolUse.REQUIRED, field_in(choice, "name", _name_in))
    elif kind == "allowed_tools":
        _allowed(draft, choice)
    else:
        draft.lacks(kind, "tool_choice.", choice)


def _allowed(draft: Draft, allowed: Mapping[str, Any]) -> None:
    """What is not allowed is not offered, which says the same in every dialect."""
    use = field_in(allowed, "mode", lambda mode: one_of(mode, ("auto", "required")))
    tools = field_in(allowed, "tools", lambda tools: each_in(list_in(tools, 1, _MOST_TOOLS), object_in))
    draft.chat["tool_choice"] = ToolChoice(_USES[use])
    draft.allowed_tools = frozenset(str(tool.get("name")) for tool in tools if tool.get("type") == "function")


def _name_in(value: Any) -> str:
    return word_in(value, _MOST_NAME)
