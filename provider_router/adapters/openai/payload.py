"""Chats as request bodies of the chat completions dialect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from provider_router.adapters.openai.content import messages_of
from provider_router.domain.calls.chat import CallersBody, ChatRequest, Sampling, Tool, ToolChoice, ToolUse
from provider_router.domain.calls.effort import effort_of
from provider_router.domain.contracts.dialect import Dialect
from provider_router.domain.contracts.service import Service

_MODELS_OWN = Sampling()
# What the router puts into a caller's body itself.
_OURS = frozenset({"model", "stream", "stream_options", "max_tokens", "max_completion_tokens"})
_SAMPLING = ("top_p", "top_k", "seed", "frequency_penalty", "presence_penalty", "logit_bias")


def chat_body(service: Service, request: ChatRequest) -> bytes:
    """Returns the JSON body that asks for an answer to `request`, usage included.

    A caller of the dialect has its own words passed on, those that nobody here knows too; what costs money is the
    router's all the same.

    Raises:
        InvalidInput: INVALID_MESSAGES, for content that the dialect has no place for.
    """
    own = request.body if request.speaks(Dialect.OPENAI_CHAT) else None
    body = _translated(request) if own is None else _passed_on(own)
    body["model"] = service.model
    limit = service.output_limit(request.max_output_tokens)
    if limit:
        body[service.provider.max_tokens_parameter] = limit
    if request.whole:
        body["stream"] = False
    else:
        body["stream"] = True
        body["stream_options"] = {**_stream_options(own), "include_usage": True}
    return orjson.dumps(body)


def tells_usage(request: ChatRequest) -> bool:
    """Whether a caller of the dialect asked for the tokens used at the end of a stream."""
    return _stream_options(request.body).get("include_usage") is True


def _stream_options(own: CallersBody | None) -> Mapping[str, Any]:
    return (own.fields.get("stream_options") if own else None) or {}


def _passed_on(own: CallersBody) -> dict[str, Any]:
    # Null stands for what is absent, which not all servers know.
    return {name: value for name, value in own.fields.items() if value is not None and name not in _OURS}


def _translated(request: ChatRequest) -> dict[str, Any]:
    body: dict[str, Any] = {"messages": messages_of(request.messages)}
    if request.tools:
        body["tools"] = [_tool(tool) for tool in request.tools]
    if request.tool_choice is not None:
        body["tool_choice"] = _tool_choice(request.tool_choice)
    if request.parallel_tool_calls is not None and request.tools:
        body["parallel_tool_calls"] = request.parallel_tool_calls
    if request.response_schema is not None:
        form = {
            "name": request.schema_name or "answer",
            "strict": request.schema_strict,
            "schema": request.response_schema,
        }
        body["response_format"] = {"type": "json_schema", "json_schema": form}
    elif request.json_object:
        body["response_format"] = {"type": "json_object"}
    _add_sampling(body, request)
    return body


def _add_sampling(body: dict[str, Any], request: ChatRequest) -> None:
    if request.temperature is not None:
        body["temperature"] = request.temperature
    if request.stop:
        body["stop"] = list(request.stop)
    if request.sampling is not _MODELS_OWN:
        given = {name: getattr(request.sampling, name) for name in _SAMPLING}
        body |= {name: value for name, value in given.items() if value is not None}
    if request.choices > 1:
        body["n"] = request.choices
    if request.logprobs is not None:
        body |= {"logprobs": True, "top_logprobs": request.logprobs}
    effort = effort_of(request.reasoning) if request.reasoning else ""
    if effort:
        body["reasoning_effort"] = effort
    if request.end_user:
        body["user"] = request.end_user


def _tool(tool: Tool) -> Mapping[str, Any]:
    function: dict[str, Any] = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    if tool.strict is not None:
        function["strict"] = tool.strict
    return {"type": "function", "function": function}


def _tool_choice(choice: ToolChoice) -> str | Mapping[str, Any]:
    if choice.name and choice.use is ToolUse.REQUIRED:
        return {"type": "function", "function": {"name": choice.name}}
    return choice.use.value
