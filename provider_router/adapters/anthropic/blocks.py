"""Messages as turns of content blocks."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from typing import Any

import orjson

from provider_router.domain.calls.chat import Message, Role, ToolCall
from provider_router.domain.calls.content import FilePart, ImagePart, Part, RefusalPart, TextPart, ThinkingPart
from provider_router.domain.errors import Reason, failure
from shared.errors import NexusError

_NO_ID = re.compile(r"[^A-Za-z0-9_-]")
_PLAIN = "text/plain"


def turns_of(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """What was said, without instructions; what one side says in a row is one turn.

    Raises:
        InvalidInput: INVALID_MESSAGES, when arguments of an earlier tool call are no JSON object;
            UNSUPPORTED_CAPABILITY, for a part that the dialect has no block for.
    """
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


def blocks_of(message: Message) -> list[dict[str, Any]]:
    """The content of `message`. The dialect refuses empty texts."""
    if not message.parts:
        return [{"type": "text", "text": message.text}] if message.text else []
    return [block for block in map(_block, message.parts) if block is not None]


def cache_control(lifetime: str) -> dict[str, Any]:
    """The mark that keeps the prompt up to the end of its block."""
    return {"type": "ephemeral"} if lifetime == "5m" else {"type": "ephemeral", "ttl": lifetime}


def _blocks(message: Message) -> list[dict[str, Any]]:
    if message.role is Role.TOOL:
        return [_result(message)]
    return blocks_of(message) + [_call(call) for call in message.tool_calls]


def _result(message: Message) -> dict[str, Any]:
    block: dict[str, Any] = {"type": "tool_result", "tool_use_id": _id(message.tool_call_id), "content": message.text}
    if message.parts:
        inner = blocks_of(message)
        # A mark holds up to the end of its block, and so at the end of the result that it stands in.
        marks = [part.pop("cache_control") for part in inner if "cache_control" in part]
        block["content"] = inner
        if marks:
            block["cache_control"] = marks[-1]
    if message.is_error:
        block["is_error"] = True
    return block


def _call(call: ToolCall) -> dict[str, Any]:
    return {"type": "tool_use", "id": _id(call.id), "name": call.name, "input": _arguments(call.arguments_json)}


def _block(part: Part) -> dict[str, Any] | None:
    match part:
        case TextPart():
            return _marked({"type": "text", "text": part.text}, part.cached) if part.text else None
        case RefusalPart():
            return {"type": "text", "text": part.text} if part.text else None
        case ThinkingPart(redacted=redacted) if redacted:
            return {"type": "redacted_thinking", "data": redacted}
        case ThinkingPart():
            # Without a signature they are another provider's, and this one does not take them.
            signed = {"type": "thinking", "thinking": part.text, "signature": part.signature}
            return signed if part.signature else None
        case ImagePart():
            return _marked({"type": "image", "source": _image_source(part)}, part.cached)
        case FilePart():
            return _file(part)
        case _:
            raise failure(Reason.UNSUPPORTED_CAPABILITY, "This model takes no sound.")


def _image_source(part: ImagePart) -> dict[str, Any]:
    if part.url:
        return {"type": "url", "url": part.url}
    return {"type": "base64", "media_type": part.media_type, "data": part.data}


def _file(part: FilePart) -> dict[str, Any]:
    if part.media_type.startswith("image/"):
        return _marked({"type": "image", "source": _file_source(part)}, part.cached)
    block: dict[str, Any] = {"type": "document", "source": _file_source(part)}
    if part.name:
        block["title"] = part.name
    return _marked(block, part.cached)


def _file_source(part: FilePart) -> dict[str, Any]:
    if part.file_id:
        return {"type": "file", "file_id": part.file_id}
    if part.url:
        return {"type": "url", "url": part.url}
    if part.media_type == _PLAIN:
        return {"type": "text", "media_type": _PLAIN, "data": _plain_text(part.data)}
    return {"type": "base64", "media_type": part.media_type, "data": part.data}


def _plain_text(data: str) -> str:
    try:
        return base64.b64decode(data, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise failure(Reason.INVALID_MESSAGES, "A file of plain text is no base64 of UTF-8.") from error


def _marked(block: dict[str, Any], lifetime: str) -> dict[str, Any]:
    if lifetime:
        block["cache_control"] = cache_control(lifetime)
    return block


def _id(call_id: str) -> str:
    """An id as the dialect takes it; some servers make ids of more characters."""
    return _NO_ID.sub("_", call_id)


def _arguments(text: str) -> orjson.Fragment:
    """The arguments as they are written: JSON may be read deeper than it can be written again."""
    written = text or "{}"
    try:
        value: Any = orjson.loads(written)
    except orjson.JSONDecodeError as error:
        raise _not_an_object() from error
    if not isinstance(value, dict):
        raise _not_an_object()
    return orjson.Fragment(written)


def _not_an_object() -> NexusError:
    return failure(
        Reason.INVALID_MESSAGES, "The arguments of an earlier tool call are no JSON object, which this model needs."
    )
