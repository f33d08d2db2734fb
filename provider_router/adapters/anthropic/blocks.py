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
from provider_router.domain.calls.lone_surrogates import without_lone_surrogates
from provider_router.domain.errors import Reason, failure
from shared.errors import NexusError

_NO_ID = re.compile(r"[^A-Za-z0-9_-]")
_PLAIN = "text/plain"
_MOST_MARKS = 300_000
_MOST_REPAIRED = 2_000_000


def turns_of(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """What was said, without instructions; what one side says in a row is one turn.

    Raises:
        InvalidInput: INVALID_MESSAGES, when arguments of an earlier tool call are no JSON object, or too many values;
            UNSUPPORTED_CAPABILITY, for a part that the dialect has no block for.
    """
    repairs = _check_arguments(messages)
    turns: list[dict[str, Any]] = []
    for message in messages:
        if message.role is Role.SYSTEM:
            continue
        role = "assistant" if message.role is Role.ASSISTANT else "user"
        blocks = _blocks(message, repairs=repairs)
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


def _blocks(message: Message, *, repairs: bool) -> list[dict[str, Any]]:
    if message.role is Role.TOOL:
        return [_result(message)]
    return blocks_of(message) + [_call(call, repairs=repairs) for call in message.tool_calls]


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


def _call(call: ToolCall, *, repairs: bool) -> dict[str, Any]:
    arguments = _arguments(call.arguments_json, repairs=repairs)
    return {"type": "tool_use", "id": _id(call.id), "name": call.name, "input": arguments}


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


def _check_arguments(messages: Sequence[Message]) -> bool:
    """Checks that the arguments of all earlier calls together can be read without keeping others waiting.

    There is no value without one of these marks before it; those within texts count as well.

    Returns:
        Whether they are short enough to be searched for halves of characters, too.
    """
    texts = [call.arguments_json for message in messages for call in message.tool_calls]
    length = sum(map(len, texts))
    if length <= _MOST_MARKS:
        return True
    if sum(text.count(mark) for text in texts for mark in ",[{") > _MOST_MARKS:
        raise failure(
            Reason.INVALID_MESSAGES,
            f"The arguments of earlier tool calls have more than {_MOST_MARKS} commas and brackets in all, which is"
            " more than this model is sent.",
        )
    return length <= _MOST_REPAIRED


def _arguments(text: str, *, repairs: bool) -> orjson.Fragment:
    """The arguments as they are written: JSON may be read deeper than it can be written again."""
    written = text.encode() or b"{}"
    try:
        value: Any = orjson.loads(written)
    except orjson.JSONDecodeError as error:
        if repairs and "surrogate in string" in error.msg:
            return _arguments(without_lone_surrogates(written).decode(), repairs=False)
        raise _not_an_object() from error
    if not isinstance(value, dict):
        raise _not_an_object()
    return orjson.Fragment(written)


def _not_an_object() -> NexusError:
    return failure(
        Reason.INVALID_MESSAGES, "The arguments of an earlier tool call are no JSON object, which this model needs."
    )
