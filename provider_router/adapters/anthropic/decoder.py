"""Decodes streamed messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from provider_router.adapters.anthropic.usage import UsageCount
from provider_router.adapters.http.answer_bounds import AnswerBounds
from provider_router.adapters.http.chat_stream import AT_WORK, Decoded
from provider_router.adapters.http.faults import fault_in_stream
from provider_router.adapters.http.json_fields import (
    MalformedAnswerError,
    as_count,
    as_object,
    as_text,
    parsed_object,
)
from provider_router.domain.calls.chat import FinishReason
from provider_router.domain.calls.events import Finished

_STOP_REASONS: Mapping[str, FinishReason] = {
    "end_turn": FinishReason.STOP,
    "stop_sequence": FinishReason.STOP,
    "pause_turn": FinishReason.STOP,
    "max_tokens": FinishReason.LENGTH,
    "model_context_window_exceeded": FinishReason.LENGTH,
    "tool_use": FinishReason.TOOL_CALLS,
    "refusal": FinishReason.CONTENT_FILTER,
}


class AnthropicDecoder:
    """Implements `Decoder` for the Messages dialect.

    `message_start` tells the prompt's tokens, `message_delta` the generated ones so far and the stop reason.
    """

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._kind = ""
        self._bounds = AnswerBounds()
        self._finish: FinishReason | None = None
        self._usage = UsageCount()
        self._done = False
        # By the block's index: our index of the tool call.
        self._calls: dict[int, int] = {}

    @property
    def is_done(self) -> bool:
        """Whether `message_stop` came."""
        return self._done

    def decode(self, data: bytes) -> Sequence[Decoded]:
        """Takes the data of the next event. Events of kinds that are not known are skipped, as the dialect asks."""
        event = parsed_object(data)
        self._kind = as_text(event.get("type"))
        match self._kind:
            case "message_start":
                self._usage.begin(as_object(event.get("message")).get("usage"))
            case "content_block_start":
                return self._block(event)
            case "content_block_delta":
                return self._delta(event)
            case "message_delta":
                self._usage.add(event.get("usage"))
                stop = as_text(as_object(event.get("delta")).get("stop_reason"))
                self._finish = _STOP_REASONS.get(stop, FinishReason.STOP) if stop else self._finish
                return self._bounds.missing_arguments()
            case "message_stop":
                self._done = True
            case "error":
                raise fault_in_stream(self._provider, event.get("error"))
            case _:
                pass
        return ()

    def wire(self, data: bytes) -> bytes:
        """See `Decoder.wire`."""
        return b"event: " + self._kind.encode() + b"\ndata: " + data.replace(b"\n", b"\ndata: ") + b"\n\n"

    def end(self) -> Finished:
        """Returns how the answer ended."""
        if self._finish is None or not self._done:
            raise MalformedAnswerError("it broke off before its end")
        return Finished(self._bounds.finish(self._finish), self._usage.usage())

    def _block(self, event: Mapping[str, Any]) -> Sequence[Decoded]:
        block = as_object(event.get("content_block"))
        match as_text(block.get("type")):
            case "tool_use":
                opening = self._bounds.open_call(as_text(block.get("id")), as_text(block.get("name")))
                self._calls[as_count(event.get("index"))] = opening.index
                return (opening,)
            case "text":
                text = as_text(block.get("text"))
                return (self._bounds.text(text),) if text else ()
            case _:
                return (AT_WORK,)

    def _delta(self, event: Mapping[str, Any]) -> Sequence[Decoded]:
        delta = as_object(event.get("delta"))
        match as_text(delta.get("type")):
            case "text_delta":
                text = as_text(delta.get("text"))
                return (self._bounds.text(text),) if text else ()
            case "input_json_delta":
                index = self._calls.get(as_count(event.get("index")))
                piece = as_text(delta.get("partial_json"))
                if index is None:
                    raise MalformedAnswerError("arguments of a tool call that was not opened")
                return (self._bounds.arguments(index, piece),) if piece else ()
            case _:
                return (AT_WORK,)
