"""Chats as request bodies of the Responses dialect."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from provider_router.domain.calls.chat import ChatRequest, Message, Role, Tool
from provider_router.domain.contracts.service import Service
from provider_router.domain.errors import Reason, failure

WEB_SEARCH_TRAIT = "web_search"
"""A contract with this trait lets the model search the web; the provider charges for it."""


def responses_body(service: Service, request: ChatRequest) -> bytes:
    """Returns the JSON body that asks for a streamed answer to `request`, which the provider shall not keep.

    Raises:
        InvalidInput: UNSUPPORTED_CAPABILITY, for texts that end the answer: the dialect has none.
    """
    if request.stop:
        raise failure(
            Reason.UNSUPPORTED_CAPABILITY,
            f"The model '{service.name}' does not support `stop`.",
            metadata={"model": service.name},
        )
    body: dict[str, Any] = {
        "model": service.model,
        "input": [item for message in request.messages for item in _items(message)],
        "stream": True,
        "store": False,
    }
    tools = [_tool(tool) for tool in request.tools]
    if service.contract.traits.get(WEB_SEARCH_TRAIT) is True:
        tools.append({"type": "web_search"})
    if tools:
        body["tools"] = tools
    if request.response_schema is not None:
        form = {"type": "json_schema", "name": "answer", "strict": True, "schema": request.response_schema}
        body["text"] = {"format": form}
    if request.temperature is not None:
        body["temperature"] = request.temperature
    limit = service.output_limit(request.max_output_tokens)
    if limit:
        body["max_output_tokens"] = limit
    return orjson.dumps(body)


def _items(message: Message) -> Iterator[dict[str, Any]]:
    if message.role is Role.TOOL:
        yield {"type": "function_call_output", "call_id": message.tool_call_id, "output": message.text}
        return
    if message.text:
        yield {"type": "message", "role": message.role.value, "content": message.text}
    for call in message.tool_calls:
        yield {
            "type": "function_call",
            "call_id": call.id,
            "name": call.name,
            "arguments": call.arguments_json or "{}",
        }


def _tool(tool: Tool) -> dict[str, Any]:
    return {
        "type": "function",
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters,
        "strict": False,
    }
