"""Chats as request bodies of the Messages dialect."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from provider_router.domain.calls.chat import ChatRequest, Message, Role, Tool
from provider_router.domain.contracts.service import Service
from provider_router.domain.errors import Reason, failure

# The dialect demands a limit; this one is taken where neither the caller nor the providers file has one.
_DEFAULT_MAX_TOKENS = 4096


def messages_body(service: Service, request: ChatRequest) -> bytes:
    """Returns the JSON body that asks for a streamed answer to `request`.

    Instructions go into `system`; the results of parallel tools go into one message of the user.

    Raises:
        InvalidInput: INVALID_MESSAGES, when arguments of an earlier tool call are no JSON object.
    """
    system = "\n\n".join(message.text for message in request.messages if message.role is Role.SYSTEM)
    body: dict[str, Any] = {
        "model": service.model,
        "max_tokens": service.output_limit(request.max_output_tokens) or _DEFAULT_MAX_TOKENS,
        "messages": _turns(request.messages),
        "stream": True,
    }
    if system:
        body["system"] = system
    if request.tools:
        body["tools"] = [_tool(tool) for tool in request.tools]
    if request.response_schema is not None:
        body["output_config"] = {"format": {"type": "json_schema", "schema": request.response_schema}}
    if request.temperature is not None:
        body["temperature"] = request.temperature
    if request.stop:
        body["stop_sequences"] = list(request.stop)
    return orjson.dumps(body)


def _turns(messages: Sequence[Message]) -> list[dict[str, Any]]:
    turns: list[dict[str, Any]] = []
    for message in messages:
        if message.role is Role.SYSTEM:
            continue
        role = "assistant" if message.role is Role.ASSISTANT else "user"
        blocks = _blocks(message)
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"].extend(blocks)
        elif blocks:
            turns.append({"role": role, "content": blocks})
    return turns


def _blocks(message: Message) -> list[dict[str, Any]]:
    if message.role is Role.TOOL:
        return [{"type": "tool_result", "tool_use_id": message.tool_call_id, "content": message.text}]
    # The dialect refuses empty texts.
    blocks: list[dict[str, Any]] = [{"type": "text", "text": message.text}] if message.text else []
    blocks.extend(
        {"type": "tool_use", "id": call.id, "name": call.name, "input": _arguments(call.arguments_json)}
        for call in message.tool_calls
    )
    return blocks


def _arguments(text: str) -> dict[str, Any]:
    try:
        value: Any = orjson.loads(text or "{}")
    except orjson.JSONDecodeError as error:
        raise _not_an_object() from error
    if not isinstance(value, dict):
        raise _not_an_object()
    return value  # pyright: ignore[reportUnknownVariableType]


def _not_an_object() -> Exception:
    return failure(
        Reason.INVALID_MESSAGES, "The arguments of an earlier tool call are no JSON object, which this model needs."
    )


def _tool(tool: Tool) -> dict[str, Any]:
    return {"name": tool.name, "description": tool.description, "input_schema": tool.parameters}
