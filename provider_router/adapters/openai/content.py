"""Messages as the chat completions dialect has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from provider_router.domain.calls.chat import Message, Role
from provider_router.domain.calls.content import (
    AudioPart,
    FilePart,
    ImagePart,
    Part,
    RefusalPart,
    TextPart,
    ThinkingPart,
    text_of,
)
from provider_router.domain.errors import Reason, failure

_PLAIN = (TextPart, RefusalPart)


def messages_of(messages: Sequence[Message]) -> list[Mapping[str, Any]]:
    """The messages as the dialect has them.

    It has no place for thoughts, which are left out, nor for images and files in what tools return: those follow as
    the user's, after the last of the tools' messages, since nothing may stand between these.

    Raises:
        InvalidInput: INVALID_MESSAGES, for a file at an address.
    """
    written: list[Mapping[str, Any]] = []
    shown: list[Mapping[str, Any]] = []
    for message in messages:
        if shown and message.role is not Role.TOOL:
            written.append({"role": "user", "content": shown})
            shown = []
        written.append(_message(message))
        if message.role is Role.TOOL and message.parts:
            shown += _shown(message)
    if shown:
        written.append({"role": "user", "content": shown})
    return written


def _message(message: Message) -> Mapping[str, Any]:
    body: dict[str, Any] = {"role": message.role.value, "content": message.text}
    if message.parts:
        body["content"] = text_of(message.parts) if message.role is Role.TOOL else _content(message.parts)
    if message.role is Role.ASSISTANT:
        _add_said(body, message)
    if message.is_error and message.role is Role.TOOL:
        body["content"] = f"Error: {body['content']}"
    if message.tool_call_id:
        body["tool_call_id"] = message.tool_call_id
    if message.name:
        body["name"] = message.name
    return body


def _add_said(body: dict[str, Any], message: Message) -> None:
    """What only the assistant has: refusals, which stand beside the content, and tool calls."""
    refusal = "".join(part.text for part in message.parts if isinstance(part, RefusalPart))
    if refusal:
        body["refusal"] = refusal
    if message.tool_calls:
        body["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments_json or "{}"},
            }
            for call in message.tool_calls
        ]
    if (message.tool_calls or refusal) and not body["content"]:
        body["content"] = None


def _content(parts: Sequence[Part]) -> str | list[Mapping[str, Any]]:
    """Texts alone as one text, which every server takes; else a list of parts."""
    said = [part for part in parts if not isinstance(part, ThinkingPart | RefusalPart)]
    if len(said) <= 1 and all(isinstance(part, TextPart) for part in said):
        return text_of(said)
    return [_part(part) for part in said]


def _part(part: Part) -> Mapping[str, Any]:
    match part:
        case ImagePart():
            image = {"url": part.url or f"data:{part.media_type};base64,{part.data}"}
            return {"type": "image_url", "image_url": {**image, **({"detail": part.detail} if part.detail else {})}}
        case FilePart():
            return {"type": "file", "file": _file(part)}
        case AudioPart():
            return {"type": "input_audio", "input_audio": {"data": part.data, "format": part.form}}
        case _:
            return {"type": "text", "text": part.text}


def _file(part: FilePart) -> Mapping[str, Any]:
    if part.file_id:
        return {"file_id": part.file_id}
    data = f"data:{part.media_type};base64,{part.data}" if part.media_type else part.data
    if not data:
        raise failure(
            Reason.INVALID_MESSAGES, "A file stands at an address, which this model cannot read; send its bytes."
        )
    return {"filename": part.name or "file", "file_data": data}


def _shown(message: Message) -> list[Mapping[str, Any]]:
    """What a tool returned besides text, with a word on whose it is."""
    parts = [_part(part) for part in message.parts if not isinstance(part, (*_PLAIN, ThinkingPart))]
    return [{"type": "text", "text": f"Returned by the tool call {message.tool_call_id}:"}, *parts] if parts else []
