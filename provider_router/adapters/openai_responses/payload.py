"""Chats as request bodies of the Responses dialect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import orjson

from provider_router.adapters.openai_responses.items import items_of
from provider_router.domain.calls.chat import CallersBody, ChatRequest, Reasoning, Tool, ToolChoice
from provider_router.domain.calls.effort import effort_of
from provider_router.domain.contracts.dialect import Dialect
from provider_router.domain.contracts.service import Service

WEB_SEARCH_TRAIT = "web_search"
"""A contract with this trait lets the model search the web; the provider charges for it."""


def responses_body(service: Service, request: ChatRequest) -> bytes:
    """Returns the JSON body that asks for an answer to `request`, which the provider shall not keep.

    A caller of the dialect is passed on in their own words.
    """
    own = request.body if request.speaks(Dialect.OPENAI_RESPONSES) else None
    body: dict[str, Any] = {
        **(_translated(request) if own is None else _passed_on(own)),
        "model": service.model,
        "stream": not request.whole,
        "store": False,
    }
    if service.contract.traits.get(WEB_SEARCH_TRAIT) is True:
        body["tools"] = _with_search(body.get("tools") or ())
    limit = service.output_limit(request.max_output_tokens)
    if limit:
        body["max_output_tokens"] = limit
    return orjson.dumps(body)


def _passed_on(own: CallersBody) -> Mapping[str, Any]:
    # Null stands for what is absent, which not all servers know.
    return {name: value for name, value in own.fields.items() if value is not None}


def _translated(request: ChatRequest) -> dict[str, Any]:
    fields: dict[str, Any] = {"input": [item for message in request.messages for item in items_of(message)]}
    if request.tools:
        fields["tools"] = [_tool(tool) for tool in request.tools]
    if request.tool_choice is not None:
        fields["tool_choice"] = _choice(request.tool_choice)
    form = _form(request)
    if form is not None:
        fields["text"] = {"format": form}
    if request.reasoning is not None:
        fields["reasoning"] = _reasoning(request.reasoning)
    plain = {
        "parallel_tool_calls": request.parallel_tool_calls,
        "temperature": request.temperature,
        "user": request.end_user or None,
        # The dialect has few of these; a contract that says so has a provider that takes them all the same.
        "stop": request.stop or None,
        **asdict(request.sampling),
    }
    return fields | {name: value for name, value in plain.items() if value is not None}


def _tool(tool: Tool) -> dict[str, Any]:
    return {
        "type": "function",
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters,
        # The dialect's own default is true, which few schemas are made for.
        "strict": bool(tool.strict),
    }


def _choice(choice: ToolChoice) -> str | dict[str, str]:
    return {"type": "function", "name": choice.name} if choice.name else choice.use.value


def _form(request: ChatRequest) -> dict[str, Any] | None:
    if request.response_schema is not None:
        return {
            "type": "json_schema",
            "name": request.schema_name or "answer",
            "strict": request.schema_strict,
            "schema": request.response_schema,
        }
    return {"type": "json_object"} if request.json_object else None


def _reasoning(reasoning: Reasoning) -> dict[str, str]:
    effort = effort_of(reasoning)
    asked = {"effort": effort} if effort else {}
    return {**asked, "summary": "auto"} if reasoning.shown else asked


def _with_search(tools: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    if any(str(tool.get("type")).startswith("web_search") for tool in tools):
        return list(tools)
    return [*tools, {"type": "web_search"}]
