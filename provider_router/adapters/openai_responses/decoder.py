"""Decodes streamed responses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from provider_router.adapters.http.answer_bounds import AnswerBounds
from provider_router.adapters.http.chat_stream import AT_WORK, Decoded
from provider_router.adapters.http.faults import fault_in_stream
from provider_router.adapters.http.json_fields import (
    MalformedAnswerError,
    as_count,
    as_list,
    as_object,
    as_text,
    parsed_object,
)
from provider_router.adapters.openai_responses.usage import billed_micro_usd, usage_of
from provider_router.domain.calls.chat import FinishReason
from provider_router.domain.calls.events import Finished


class ResponsesDecoder:
    """Implements `Decoder` for the Responses dialect.

    Text and arguments come as deltas. Some servers leave the deltas out and give only the finished items: what came as
    deltas is never taken again from those.
    """

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._kind = ""
        self._bounds = AnswerBounds()
        self._finished: Finished | None = None
        self._refused = False
        # Places in the output whose text came.
        self._texts: set[int] = set()
        # By place in the output: our index of the tool call, and whether arguments came.
        self._calls: dict[int, tuple[int, bool]] = {}

    @property
    def is_done(self) -> bool:
        """Whether the response is complete."""
        return self._finished is not None

    def decode(self, data: bytes) -> Sequence[Decoded]:
        """Takes the data of the next event. Events of kinds that are not known only keep the stream alive."""
        event = parsed_object(data)
        self._kind = as_text(event.get("type"))
        match self._kind:
            case "response.output_text.delta" | "response.refusal.delta" as kind:
                self._refused = self._refused or kind == "response.refusal.delta"
                return self._text(_place(event), as_text(event.get("delta")))
            case "response.output_item.added":
                return self._open(_place(event), as_object(event.get("item")))
            case "response.function_call_arguments.delta":
                return self._arguments(_place(event), as_text(event.get("delta")))
            case "response.output_item.done":
                return self._item(_place(event), as_object(event.get("item")))
            case "response.completed" | "response.incomplete":
                return self._end(as_object(event.get("response")))
            case "response.failed" | "error":
                raise fault_in_stream(self._provider, _error(event))
            case _:
                return (AT_WORK,)

    def wire(self, data: bytes) -> bytes:
        """See `Decoder.wire`."""
        return b"event: " + self._kind.encode() + b"\ndata: " + data.replace(b"\n", b"\ndata: ") + b"\n\n"

    def end(self) -> Finished:
        """Returns how the answer ended."""
        if self._finished is None:
            raise MalformedAnswerError("it broke off before its end")
        return self._finished

    def _text(self, place: int, text: str) -> list[Decoded]:
        if not text:
            return []
        self._texts.add(place)
        return [self._bounds.text(text)]

    def _open(self, place: int, item: Mapping[str, Any]) -> list[Decoded]:
        if as_text(item.get("type")) != "function_call" or place in self._calls:
            return [] if place in self._calls else [AT_WORK]
        opening = self._bounds.open_call(as_text(item.get("call_id")), as_text(item.get("name")))
        self._calls[place] = (opening.index, False)
        return [opening]

    def _arguments(self, place: int, piece: str) -> list[Decoded]:
        call = self._calls.get(place)
        if call is None:
            raise MalformedAnswerError("arguments of a tool call that was not opened")
        if not piece:
            return []
        self._calls[place] = (call[0], True)
        return [self._bounds.arguments(call[0], piece)]

    def _item(self, place: int, item: Mapping[str, Any]) -> list[Decoded]:
        """A finished item: what of it did not come as deltas."""
        match as_text(item.get("type")):
            case "message" if place not in self._texts:
                parts = (as_object(part) for part in as_list(item.get("content")))
                return self._text(place, "".join(as_text(part.get("text")) for part in parts))
            case "function_call":
                opened = self._open(place, item)
                has_arguments = self._calls[place][1]
                return opened if has_arguments else [*opened, *self._arguments(place, as_text(item.get("arguments")))]
            case _:
                return [AT_WORK]

    def _end(self, response: Mapping[str, Any]) -> list[Decoded]:
        items = [as_object(item) for item in as_list(response.get("output"))]
        # Places in the whole need not be those of the stream, so it is read only where nothing else came.
        missed = [] if self._texts or self._calls else items
        decoded = [event for place, item in enumerate(missed) for event in self._item(place, item)]
        decoded.extend(self._bounds.missing_arguments())
        usage = response.get("usage")
        self._finished = Finished(self._bounds.finish(self._reason(response)), usage_of(usage), billed_micro_usd(usage))
        return decoded

    def _reason(self, response: Mapping[str, Any]) -> FinishReason:
        if self._refused:
            return FinishReason.CONTENT_FILTER
        why = as_text(as_object(response.get("incomplete_details")).get("reason"))
        if not why and as_text(response.get("status")) != "incomplete":
            return FinishReason.STOP
        return FinishReason.CONTENT_FILTER if why == "content_filter" else FinishReason.LENGTH


def _place(event: Mapping[str, Any]) -> int:
    return as_count(event.get("output_index"))


def _error(event: Mapping[str, Any]) -> Any:
    """What went wrong: Perplexity says it in the event, OpenAI in the response or as the event itself."""
    return (
        event.get("error") or as_object(event.get("response")).get("error") or [event.get("code"), event.get("message")]
    )
