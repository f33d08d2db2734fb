"""Chats as request bodies of the Messages dialect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import orjson

from provider_router.adapters.anthropic.blocks import blocks_of, cache_control, turns_of
from provider_router.adapters.anthropic.thinking import ADAPTIVE_TRAIT, budget_within, thinking_fields
from provider_router.adapters.http.json_fields import as_object
from provider_router.domain.calls.chat import (
    CallersBody,
    ChatRequest,
    Message,
    Role,
    Sampling,
    Tool,
    ToolChoice,
    ToolUse,
)
from provider_router.domain.contracts.dialect import Dialect
from provider_router.domain.contracts.service import Service

# The dialect demands a limit; this one is taken where neither the caller nor the providers file has one.
_DEFAULT_MAX_TOKENS = 4096
_MOST_MARKS = 4
_SAMPLING = tuple(field.name for field in fields(Sampling))


def messages_body(service: Service, request: ChatRequest) -> bytes:
    """Returns the JSON body that asks for an answer to `request`: the caller's own words where they are of the dialect.

    Instructions go into `system`; the results of parallel tools go into one message of the user.

    Raises:
        InvalidInput: INVALID_MESSAGES, when arguments of an earlier tool call are no JSON object;
            UNSUPPORTED_CAPABILITY, for a part that the dialect has no block for.
    """
    max_tokens = service.output_limit(request.max_output_tokens) or _DEFAULT_MAX_TOKENS
    body = request.body
    if body is not None and body.dialect is Dialect.ANTHROPIC_MESSAGES:
        asked = _callers_own(body, max_tokens)
    else:
        asked = _translated(service, request, max_tokens)
    asked["model"] = service.model
    asked["stream"] = not request.whole
    return orjson.dumps(asked)


def _callers_own(body: CallersBody, max_tokens: int) -> dict[str, Any]:
    """What the caller wrote, but for no more tokens than `max_tokens`, thoughts included."""
    own: int = body.fields.get("max_tokens", max_tokens)
    # Null stands for what is absent, which servers of the dialect refuse.
    asked: dict[str, Any] = {name: value for name, value in body.fields.items() if value is not None}
    asked["max_tokens"] = min(own, max_tokens)
    thinking = as_object(asked.get("thinking"))
    if own > max_tokens and thinking.get("type") == "enabled":
        asked["thinking"] = budget_within(thinking["budget_tokens"], max_tokens)
    return asked


def _translated(service: Service, request: ChatRequest, max_tokens: int) -> dict[str, Any]:
    asked: dict[str, Any] = {"max_tokens": max_tokens, "messages": turns_of(request.messages)}
    system = _system([message for message in request.messages if message.role is Role.SYSTEM])
    if system:
        asked["system"] = system
    if request.tools:
        asked["tools"] = [_tool(tool) for tool in request.tools]
        choice = _tool_choice(request.tool_choice, request.parallel_tool_calls)
        if choice:
            asked["tool_choice"] = choice
    if request.temperature is not None:
        asked["temperature"] = request.temperature
    if request.stop:
        asked["stop_sequences"] = list(request.stop)
    for name in _SAMPLING:
        # Those that no model of the dialect takes get here only where a contract says that its provider does.
        value = getattr(request.sampling, name)
        if value is not None:
            asked[name] = value
    if request.end_user:
        asked["metadata"] = {"user_id": request.end_user}
    _shape(asked, service, request)
    _keep_last_marks(asked)
    return asked


def _shape(asked: dict[str, Any], service: Service, request: ChatRequest) -> None:
    """Adds how much to think, and the form of the answer."""
    config: dict[str, Any] = {}
    if request.response_schema is not None:
        config["format"] = {"type": "json_schema", "schema": request.response_schema}
    if request.reasoning is not None:
        adaptive = service.contract.traits.get(ADAPTIVE_TRAIT) is not False
        thinking, effort = thinking_fields(request.reasoning, asked["max_tokens"], adaptive=adaptive)
        asked["thinking"] = thinking
        if effort:
            config["effort"] = effort
    if config:
        asked["output_config"] = config


def _system(messages: list[Message]) -> str | list[dict[str, Any]]:
    blocks = [block for message in messages for block in blocks_of(message)]
    if any("cache_control" in block for block in blocks):
        return blocks
    return "\n\n".join(message.text for message in messages)


def _tool(tool: Tool) -> dict[str, Any]:
    told: dict[str, Any] = {"name": tool.name, "input_schema": tool.parameters}
    if tool.description:
        told["description"] = tool.description
    if tool.strict is not None:
        told["strict"] = tool.strict
    if tool.cached:
        told["cache_control"] = cache_control(tool.cached)
    return told


def _tool_choice(choice: ToolChoice | None, parallel: bool | None) -> dict[str, Any]:  # noqa: FBT001 - a field's value
    use = choice.use if choice else ToolUse.AUTO
    if use is ToolUse.NONE:
        return {"type": "none"}
    alone = {"disable_parallel_tool_use": True} if parallel is False else {}
    if choice is None:
        return {"type": "auto", **alone} if alone else {}
    if choice.name:
        return {"type": "tool", "name": choice.name, **alone}
    return {"type": "any" if use is ToolUse.REQUIRED else "auto", **alone}


def _keep_last_marks(asked: Mapping[str, Any]) -> None:
    """Takes away all marks but the last that the dialect allows: each holds for all that comes before it."""
    system = asked.get("system", ())
    blocks = [*asked.get("tools", ()), *(() if isinstance(system, str) else system)]
    for turn in asked["messages"]:
        blocks += turn["content"]
    marked = [block for block in blocks if "cache_control" in block]
    for block in marked[:-_MOST_MARKS]:
        del block["cache_control"]
