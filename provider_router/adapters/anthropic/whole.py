"""Decodes whole messages."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import Any

import orjson

from provider_router.adapters.anthropic.stop_reasons import STOP_REASONS
from provider_router.adapters.anthropic.usage import usage_of
from provider_router.adapters.http.answer_bounds import AnswerBounds
from provider_router.adapters.http.chat_stream import DecodeWhole
from provider_router.adapters.http.faults import fault_in_stream
from provider_router.adapters.http.json_fields import MalformedAnswerError, as_list, as_object, as_text, parsed_object
from provider_router.domain.calls.chat import FinishReason
from provider_router.domain.calls.events import Delta, Finished, ModelEvent


def decode_whole(provider: str) -> DecodeWhole:
    """Returns what decodes the bodies of answers of `provider`."""

    def decode(body: bytes) -> Sequence[ModelEvent]:
        message = parsed_object(body)
        if message.get("type") == "error" or message.get("error"):
            raise fault_in_stream(provider, message.get("error"))
        stop = as_text(message.get("stop_reason"))
        if not stop:
            raise MalformedAnswerError("it has no stop reason")
        bounds = AnswerBounds()
        said: list[ModelEvent] = [
            delta for block in as_list(message.get("content")) for delta in _said(as_object(block), bounds)
        ]
        finish = bounds.finish(STOP_REASONS.get(stop, FinishReason.STOP))
        usage, stop_text = usage_of(message.get("usage")), as_text(message.get("stop_sequence"))
        return [*said, Finished(finish, usage, stop_text=stop_text)]

    return decode


def _said(block: Mapping[str, Any], bounds: AnswerBounds) -> Generator[Delta]:
    """What a block says; nothing for one of a provider's own tools."""
    match as_text(block.get("type")):
        case "text":
            text = as_text(block.get("text"))
            if text:
                yield bounds.text(text)
        case "tool_use":
            opening = bounds.open_call(as_text(block.get("id")), as_text(block.get("name")))
            yield opening
            yield bounds.arguments(opening.index, _arguments(block.get("input")))
        case "thinking":
            yield bounds.thinking(as_text(block.get("thinking")), signature=as_text(block.get("signature")))
        case "redacted_thinking":
            yield bounds.thinking(redacted=as_text(block.get("data")))
        case _:
            pass


def _arguments(value: Any) -> str:
    try:
        return orjson.dumps(as_object(value)).decode()
    except orjson.JSONEncodeError as error:
        # It is read deeper than it can be written.
        raise MalformedAnswerError("its tool arguments are too deep") from error
