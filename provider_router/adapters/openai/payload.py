"""Chats as request bodies of the chat completions dialect."""

from __future__ import annotations

from typing import Any

import orjson

from provider_router.domain.calls.chat import ChatRequest, Message, Tool
from provider_router.domain.contracts.service import Service


def chat_body(service: Service, request: ChatRequest) -> bytes:
    """Returns the JSON body that asks for a streamed answer to `request`, usage included."""
    body: dict[str, Any] = {
        "model": service.model,
        "messages": [_message(message) for message in request.messages],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if request.tools:
        body["tools"] = [_tool(tool) for tool in request.tools]
    if request.response_schema is not None:
        body["response_format"] = {
            "type": "json_schema",
            "json_schema": {"name": "answer", "strict": True, "schema": request.response_schema},
        }
    if request.temperature is not None:
        body["temperature"] = request.temperature
    limit = service.output_limit(request.max_output_tokens)
    if limit:
        body[service.provider.max_tokens_parameter] = limit
    if request.stop:
        body["stop"] = list(request.stop)
    return orjson.dumps(body)


def _message(message: Message) -> dict[str, Any]:
    body: dict[str, Any] = {"role": message.role.value, "content": message.text}
    if message.tool_calls:
        body["content"] = message.text or None
        body["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments_json or "{}"},
            }
            for call in message.tool_calls
        ]
    if message.tool_call_id:
        body["tool_call_id"] = message.tool_call_id
    return body


def _tool(tool: Tool) -> dict[str, Any]:
    return {
        "type": "function",
        "function": {"name": tool.name, "description": tool.description, "parameters": tool.parameters},
    }
