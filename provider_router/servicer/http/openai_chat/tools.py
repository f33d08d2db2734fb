"""Reads tools, which of them may be asked for, and the form of the answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from provider_router.domain.calls.chat import Tool, ToolChoice, ToolUse
from provider_router.servicer.http.fields import (
    WrongFieldError,
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
from provider_router.servicer.http.openai_chat.content import cached_in
from provider_router.servicer.http.openai_chat.draft import Draft

_MOST_TOOLS = 512
_MOST_NAME = 128
_NO_PARAMETERS: Mapping[str, Any] = {"type": "object", "properties": {}}
_OF_TOOL = frozenset({"type", "function", "cache_control"})
_OF_FUNCTION = frozenset({"name", "description", "parameters", "strict"})
_OF_SCHEMA = frozenset({"type", "name", "description", "schema", "strict"})
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
    return field_in(tool, "function", lambda function: _function(draft, tool, object_in(function)))


def _function(draft: Draft, tool: Mapping[str, Any], function: Mapping[str, Any]) -> Tool:
    draft.others(function, _OF_FUNCTION, "tools.function.")
    return Tool(
        name=field_in(function, "name", _name_in),
        description=maybe_in(function, "description", text_in, ""),
        parameters=maybe_in(function, "parameters", object_in, _NO_PARAMETERS),
        strict=maybe_in(function, "strict", flag_in, None),
        cached=cached_in(tool),
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
        name = field_in(choice, "function", lambda function: field_in(object_in(function), "name", _name_in))
        draft.chat["tool_choice"] = ToolChoice(ToolUse.REQUIRED, name)
    elif kind == "allowed_tools":
        field_in(choice, "allowed_tools", lambda allowed: _allowed(draft, object_in(allowed)))
    else:
        draft.lacks(kind, "tool_choice.", choice)


def _allowed(draft: Draft, allowed: Mapping[str, Any]) -> None:
    """What is not allowed is not offered, which says the same in every dialect."""
    use = field_in(allowed, "mode", lambda mode: one_of(mode, ("auto", "required")))
    names = field_in(allowed, "tools", lambda tools: each_in(list_in(tools, 1, _MOST_TOOLS), _allowed_name))
    draft.chat["tool_choice"] = ToolChoice(_USES[use])
    draft.allowed_tools = frozenset(names)


def _allowed_name(value: Any) -> str:
    tool = object_in(value)
    kind = field_in(tool, "type", text_in)
    return field_in(tool, kind, lambda named: field_in(object_in(named), "name", _name_in))


def check_choice(draft: Draft) -> None:
    """Makes tools and choice agree.

    Raises:
        WrongFieldError: A tool is asked for that is not offered.
    """
    choice: ToolChoice | None = draft.chat.get("tool_choice")
    if choice is None:
        return
    tools: tuple[Tool, ...] = draft.chat.get("tools", ())
    if draft.allowed_tools is not None:
        tools = draft.chat["tools"] = tuple(tool for tool in tools if tool.name in draft.allowed_tools)
    if choice.use is ToolUse.REQUIRED and not tools and not draft.foreign:
        raise WrongFieldError("needs a tool that may be asked for")
    if choice.name and all(tool.name != choice.name for tool in tools):
        raise WrongFieldError("names no tool that is offered")
    if not tools:
        del draft.chat["tool_choice"]


def response_format_in(draft: Draft, value: Any) -> None:
    """Reads `response_format` into `draft`.

    Raises:
        WrongFieldError: It is no form of the dialect.
    """
    form = object_in(value)
    kind = field_in(form, "type", text_in)
    if kind == "json_schema":
        draft.others(form, frozenset({"type", "json_schema"}), "response_format.")
        field_in(
            form, "json_schema", lambda schema: schema_in(draft, object_in(schema), "response_format.json_schema.")
        )
    elif kind in ("json_object", "text"):
        draft.others(form, frozenset({"type"}), "response_format.")
        draft.chat["json_object"] = kind == "json_object"
    else:
        draft.lacks(kind, "response_format.", form)


def schema_in(draft: Draft, form: Mapping[str, Any], prefix: str) -> None:
    """Reads the JSON Schema of the answer, with its name, from `form`, which stands at `prefix`, into `draft`.

    Raises:
        WrongFieldError: A field of it is wrong.
    """
    draft.others(form, _OF_SCHEMA, prefix)
    name = field_in(form, "name", lambda name: word_in(name, 64))
    strict = maybe_in(form, "strict", flag_in, default=False)
    description = maybe_in(form, "description", text_in, "")
    schema = maybe_in(form, "schema", object_in, None)
    if schema is None:
        draft.chat["json_object"] = True
        return
    # A schema has a place for what it is, in every dialect.
    draft.chat["response_schema"] = {"description": description, **schema} if description else schema
    draft.chat |= {"schema_name": name, "schema_strict": strict}


def _name_in(value: Any) -> str:
    return word_in(value, _MOST_NAME)
