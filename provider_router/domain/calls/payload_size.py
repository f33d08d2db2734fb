"""How large a request is."""

from __future__ import annotations

import orjson

from provider_router.domain.calls.chat import ChatRequest, Message
from provider_router.domain.calls.content import AudioPart, FilePart, ImagePart, Part, ThinkingPart


def payload_bytes(request: ChatRequest) -> int:
    """Bytes of everything that a provider is sent of `request`, without what its dialect puts around it."""
    total = 0
    for message in request.messages:
        text = message.text
        # Most texts are ASCII, which Python knows of a text without looking.
        total += len(text) if text.isascii() else len(text.encode())
        if message.tool_calls or message.parts or message.tool_call_id:
            total += _besides(message)
    for tool in request.tools:
        total += _bytes(tool.name) + _bytes(tool.description) + len(orjson.dumps(tool.parameters, default=dict))
    if request.response_schema is not None:
        total += len(orjson.dumps(request.response_schema, default=dict))
    return total


def _besides(message: Message) -> int:
    """Bytes of what `message` is besides text."""
    calls = sum(len(call.id) + _bytes(call.name) + _bytes(call.arguments_json) for call in message.tool_calls)
    return calls + len(message.tool_call_id) + sum(map(_part, message.parts))


def _part(part: Part) -> int:
    """Bytes of what `part` is besides text."""
    match part:
        case ImagePart() | FilePart():
            return len(part.url) + len(part.data)
        case AudioPart():
            return len(part.data)
        case ThinkingPart():
            return _bytes(part.text) + len(part.signature) + len(part.redacted)
        case _:
            return 0


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())
