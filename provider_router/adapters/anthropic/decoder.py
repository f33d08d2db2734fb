"""Decodes streamed messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from provider_router.adapters.anthropic.stop_reasons import STOP_REASONS
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

_DELTA = "content_block_delta"
# By its type, what stands before the data of an event.
_HEADS: Mapping[str, bytes] = {
    kind: b"event: %b\ndata: " % kind.encode()
    for kind in (
        "message_start",
        "content_block_start",
        _DELTA,
        "content_block_stop",
        "message_delta",
        "message_stop",
        "ping",
    )
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
        self._stop_text = ""
        self._usage = UsageCount()
        self._done = False
        # By the block's index: our index of the tool call; None for a block that is nothing to the router.
        self._calls: dict[int, int | None] = {}

    @property
    def is_done(self) -> bool:
        """Whether `message_stop` came."""
        return self._done

    def decode(self, data: bytes) -> Sequence[Decoded]:
        """Takes the data of the next event. Events of kinds that are not known are skipped, as the dialect asks."""
        event = parsed_object(data)
        self._kind = kind = as_text(event.get("type"))
        if kind == _DELTA:
            return self._delta(event)
        match kind:
            case "message_start":
                self._usage.begin(as_object(event.get("message")).get("usage"))
            case "content_block_start":
                return self._block(event)
            case "message_delta":
                return self._ending(event)
            case "message_stop":
                self._done = True
            case "error":
                raise fault_in_stream(self._provider, event.get("error"))
            case _:
                pass
        return ()

    def wire(self, data: bytes) -> bytes:
        """See `Decoder.wire`."""
        head = _HEADS.get(self._kind) or _head(self._kind)
        if b"\n" in data:
            data = data.replace(b"\n", b"\ndata: ")
        return b"%b%b\n\n" % (head, data)

    def end(self) -> Finished:
        """Returns how the answer ended."""
        if self._finish is None or not self._done:
            raise MalformedAnswerError("it broke off before its end")
        return Finished(self._bounds.finish(self._finish), self._usage.usage(), stop_text=self._stop_text)

    def _ending(self, event: Mapping[str, Any]) -> Sequence[Decoded]:
        self._usage.add(event.get("usage"))
        delta = as_object(event.get("delta"))
        stop = as_text(delta.get("stop_reason"))
        if stop:
            self._finish = STOP_REASONS.get(stop, FinishReason.STOP)
            self._stop_text = as_text(delta.get("stop_sequence"))
        return self._bounds.missing_arguments()

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
            case "redacted_thinking":
                return (self._bounds.thinking(redacted=as_text(block.get("data"))),)
            case _:
                # Thoughts come in deltas; what a provider's own tools do is nothing to the router.
                self._calls[as_count(event.get("index"))] = None
                return (AT_WORK,)

    def _delta(self, event: Mapping[str, Any]) -> Sequence[Decoded]:
        delta = as_object(event.get("delta"))
        match as_text(delta.get("type")):
            case "text_delta":
                text = as_text(delta.get("text"))
                return (self._bounds.text(text),) if text else ()
            case "input_json_delta":
                return self._arguments(as_count(event.get("index")), as_text(delta.get("partial_json")))
            case "thinking_delta":
                text = as_text(delta.get("thinking"))
                return (self._bounds.thinking(text),) if text else ()
            case "signature_delta":
                signature = as_text(delta.get("signature"))
                return (self._bounds.thinking(signature=signature),) if signature else ()
            case _:
                return (AT_WORK,)

    def _arguments(self, block: int, piece: str) -> Sequence[Decoded]:
        if block not in self._calls:
            raise MalformedAnswerError("arguments of a tool call that was not opened")
        index = self._calls[block]
        if index is None:
            return (AT_WORK,)
        return (self._bounds.arguments(index, piece),) if piece else ()


def _head(kind: str) -> bytes:
    """The name of an event of a kind that is not known; none where it would end its line."""
    return b"event: %b\ndata: " % kind.encode() if kind.isprintable() and kind else b"data: "
