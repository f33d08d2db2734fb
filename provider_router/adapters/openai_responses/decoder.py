"""Decodes streamed responses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from provider_router.adapters.http.chat_stream import AT_WORK, AtWork, Decoded
from provider_router.adapters.http.faults import fault_in_stream
from provider_router.adapters.http.json_fields import (
    MalformedAnswerError,
    as_count,
    as_list,
    as_object,
    as_text,
    parsed_object,
)
from provider_router.adapters.openai_responses.output import Output
from provider_router.adapters.openai_responses.usage import billed_micro_usd, usage_of
from provider_router.domain.calls.chat import FinishReason
from provider_router.domain.calls.events import Finished, ModelEvent

_UNFINISHED = frozenset({"queued", "in_progress", "cancelled"})
_LONGEST_KIND = 96


class ResponsesDecoder:
    """Implements `Decoder` for the Responses dialect."""

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._kind = ""
        self._output = Output()
        self._finished: Finished | None = None

    @property
    def is_done(self) -> bool:
        """Whether the response is complete."""
        return self._finished is not None

    def decode(self, data: bytes) -> Sequence[Decoded]:
        """Takes the data of the next event. Events of kinds that are not known only keep the stream alive."""
        event = parsed_object(data)
        self._kind = kind = as_text(event.get("type"))
        read = _DELTAS.get(kind)
        if read is not None:
            return read(self._output, event)
        if kind in _ENDS:
            return self._end(as_object(event.get("response")))
        if kind in _FAILURES:
            raise fault_in_stream(self._provider, _error(event))
        return (AT_WORK,)

    def wire(self, data: bytes) -> bytes:
        """See `Decoder.wire`."""
        if b"\n" in data:
            data = data.replace(b"\n", b"\ndata: ")
        return b"%bdata: %b\n\n" % (_name_line(self._kind), data)

    def end(self) -> Finished:
        """Returns how the answer ended."""
        if self._finished is None:
            raise MalformedAnswerError("it broke off before its end")
        return self._finished

    def whole(self, data: bytes) -> Sequence[ModelEvent]:
        """What the JSON body of a whole response says, see `chat_stream.DecodeWhole`."""
        response = parsed_object(data)
        if response.get("error") or response.get("status") == "failed":
            raise fault_in_stream(self._provider, _error(response))
        if "output" not in response or as_text(response.get("status")) in _UNFINISHED:
            raise MalformedAnswerError("it is no whole response")
        return [*(event for event in self._end(response) if not isinstance(event, AtWork)), self.end()]

    def _end(self, response: Mapping[str, Any]) -> list[Decoded]:
        # Places in the whole need not be those of the stream, so it is read only where nothing else came.
        missed = () if self._output.has_begun else map(as_object, as_list(response.get("output")))
        decoded = [event for place, item in enumerate(missed) for event in self._output.item(place, item)]
        decoded.extend(self._output.bounds.missing_arguments())
        usage = response.get("usage")
        reason = self._output.bounds.finish(self._reason(response))
        self._finished = Finished(reason, usage_of(usage), billed_micro_usd(usage))
        return decoded

    def _reason(self, response: Mapping[str, Any]) -> FinishReason:
        if self._output.has_refused:
            return FinishReason.CONTENT_FILTER
        why = as_text(as_object(response.get("incomplete_details")).get("reason"))
        if not why and as_text(response.get("status")) != "incomplete":
            return FinishReason.STOP
        return FinishReason.CONTENT_FILTER if why == "content_filter" else FinishReason.LENGTH


def _text(output: Output, event: Mapping[str, Any]) -> list[Decoded]:
    return output.text(_place(event), as_text(event.get("delta")))


def _refusal(output: Output, event: Mapping[str, Any]) -> list[Decoded]:
    return output.text(_place(event), as_text(event.get("delta")), refusal=True)


def _summary(output: Output, event: Mapping[str, Any]) -> list[Decoded]:
    part = ("summary", as_count(event.get("summary_index")))
    return output.thought(_place(event), part, as_text(event.get("delta")))


def _thought(output: Output, event: Mapping[str, Any]) -> list[Decoded]:
    part = ("content", as_count(event.get("content_index")))
    return output.thought(_place(event), part, as_text(event.get("delta")))


def _opened(output: Output, event: Mapping[str, Any]) -> list[Decoded]:
    return output.open(_place(event), as_object(event.get("item")))


def _arguments(output: Output, event: Mapping[str, Any]) -> list[Decoded]:
    return output.arguments(_place(event), as_text(event.get("delta")))


def _item(output: Output, event: Mapping[str, Any]) -> list[Decoded]:
    return output.item(_place(event), as_object(event.get("item")))


@lru_cache(maxsize=256)
def _name_line(kind: str) -> bytes:
    """The line that names an event of `kind`; none for what is no name: it could hold lines of its own."""
    is_name = 0 < len(kind) <= _LONGEST_KIND and kind.isascii() and kind.replace(".", "_").isidentifier()
    return f"event: {kind}\n".encode() if is_name else b""


def _place(event: Mapping[str, Any]) -> int:
    return as_count(event.get("output_index"))


def _error(event: Mapping[str, Any]) -> Any:
    """What went wrong: Perplexity says it in the event, OpenAI in the response or as the event itself."""
    return (
        event.get("error") or as_object(event.get("response")).get("error") or [event.get("code"), event.get("message")]
    )


_DELTAS: Mapping[str, Callable[[Output, Mapping[str, Any]], list[Decoded]]] = {
    "response.output_text.delta": _text,
    "response.refusal.delta": _refusal,
    "response.reasoning_summary_text.delta": _summary,
    "response.reasoning_text.delta": _thought,
    "response.function_call_arguments.delta": _arguments,
    "response.output_item.added": _opened,
    "response.output_item.done": _item,
}
_ENDS = frozenset({"response.completed", "response.incomplete"})
_FAILURES = frozenset({"response.failed", "error"})
