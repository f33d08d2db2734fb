"""Messages as items of the Responses dialect."""

from __future__ import annotations

from collections.abc import Iterator
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
)


def items_of(message: Message) -> Iterator[dict[str, Any]]:
    """The items that say what `message` says."""
    if message.role is Role.TOOL:
        output = [_input(part) for part in message.parts if not isinstance(part, ThinkingPart)] or message.text
        yield {"type": "function_call_output", "call_id": message.tool_call_id, "output": output}
        return
    content = _content(message)
    if content:
        yield {"type": "message", "role": message.role.value, "content": content}
    for call in message.tool_calls:
        yield {
            "type": "function_call",
            "call_id": call.id,
            "name": call.name,
            "arguments": call.arguments_json or "{}",
        }


def _content(message: Message) -> str | list[dict[str, Any]]:
    written = _output if message.role is Role.ASSISTANT else _input
    # Thoughts are sealed by whoever had them; the dialect takes only its own.
    return [written(part) for part in message.parts if not isinstance(part, ThinkingPart)] or message.text


def _output(part: Part) -> dict[str, Any]:
    match part:
        case TextPart(text):
            return {"type": "output_text", "text": text, "annotations": []}
        case RefusalPart(text):
            return {"type": "refusal", "refusal": text}
        case _:
            return _input(part)


def _input(part: Part) -> dict[str, Any]:
    match part:
        case ImagePart():
            return _image(part)
        case FilePart():
            return _file(part)
        case AudioPart():
            return {"type": "input_audio", "input_audio": {"data": part.data, "format": part.form}}
        case TextPart(text) | RefusalPart(text) | ThinkingPart(text):
            return {"type": "input_text", "text": text}


def _image(part: ImagePart) -> dict[str, Any]:
    url = part.url or f"data:{part.media_type or 'image/png'};base64,{part.data}"
    return {"type": "input_image", "image_url": url, "detail": part.detail or "auto"}


def _file(part: FilePart) -> dict[str, Any]:
    if part.file_id:
        return {"type": "input_file", "file_id": part.file_id}
    if part.url:
        return {"type": "input_file", "file_url": part.url}
    data = f"data:{part.media_type or 'application/pdf'};base64,{part.data}"
    return {"type": "input_file", "file_data": data, "filename": part.name or "file"}
