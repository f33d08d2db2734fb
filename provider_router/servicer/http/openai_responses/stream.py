"""Writes a streamed answer as the events of a response."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from provider_router.domain.calls.events import Completed, Delta, Started, TextDelta, ThinkingDelta, ToolCallDelta
from provider_router.servicer.http.openai_chat.errors import error_object
from provider_router.servicer.http.openai_responses.output_items import cut_short, item_id
from provider_router.servicer.http.openai_responses.response import ended
from provider_router.servicer.http.openai_responses.written_items import (
    Events,
    WrittenCall,
    WrittenMessage,
    WrittenReasoning,
)
from provider_router.servicer.http.surface import told_model
from shared.errors import NexusError

_NUMBER = b'"sequence_number":'


class ResponseStream:
    """Implements `StreamEncoder`.

    A message or a thought is done as soon as something else begins. Function calls are done with the answer: some
    providers write several of them at once.

    Args:
        response: As it begins, see `response.begun`.
    """

    def __init__(self, response: Mapping[str, Any]) -> None:
        self._response = dict(response)
        self._events = Events()
        self._spoken: WrittenMessage | WrittenReasoning | None = None
        self._spoken_at = 0
        self._calls: dict[int, tuple[int, WrittenCall]] = {}
        self._done: dict[int, dict[str, Any]] = {}
        self._places = 0
        self._has_refused = False
        self._relayed_last = b""

    def started(self, event: Started) -> bytes:
        """See `StreamEncoder.started`."""
        self._response["model"] = told_model(event.model)
        return b""

    def delta(self, event: Delta) -> bytes:
        """See `StreamEncoder.delta`."""
        opened = b"" if self._events.number else self._open()
        match event:
            case TextDelta():
                return opened + self._say(event)
            case ThinkingDelta():
                return opened + self._think(event)
            case ToolCallDelta():
                return opened + self._argue(event)

    def relayed(self, wire: bytes) -> bytes:
        """See `StreamEncoder.relayed`."""
        self._relayed_last = wire or self._relayed_last
        return wire

    def completed(self, event: Completed) -> bytes:
        """See `StreamEncoder.completed`."""
        if event.wire:
            return event.wire
        opened = b"" if self._events.number else self._open()
        why = cut_short(event.finish_reason, refused=self._has_refused)
        last = "incomplete" if why else "completed"
        written = [opened, self._end_spoken(last if self._spoken_at == self._places - 1 else "completed")]
        for place, call in self._calls.values():
            written.append(self._end(place, call, last if place == self._places - 1 else "completed"))
        output = [self._done[place] for place in sorted(self._done)]
        response = ended(self._response, self._response["model"], output, why, event.usage)
        return b"".join((*written, self._events.event(last, response=response)))

    def failed(self, error: NexusError) -> bytes:
        """See `StreamEncoder.failed`.

        The published event has the error's fields beside its type. The official clients raise where there is an object
        `error`, and take everything else for an event like others; so it has both.
        """
        told = error_object(error)
        number = self._events.number or _number_after(self._relayed_last)
        body = {
            "type": "error",
            "code": told["code"],
            "message": told["message"],
            "param": told["param"],
            "sequence_number": number,
            "error": told,
        }
        return b"event: error\ndata: " + orjson.dumps(body) + b"\n\n"

    def heartbeat(self) -> bytes:
        """See `StreamEncoder.heartbeat`."""
        return b": alive\n\n"

    def _open(self) -> bytes:
        return self._events.event("created", response=self._response) + self._events.event(
            "in_progress", response=self._response
        )

    def _say(self, event: TextDelta) -> bytes:
        self._has_refused = self._has_refused or event.refusal
        message = self._spoken
        if isinstance(message, WrittenMessage):
            return message.say(event)
        before = self._end_spoken()
        place = self._next_place()
        self._spoken_at = place
        self._spoken = message = WrittenMessage(self._events, item_id("msg", self._response["id"], place), place)
        return before + message.begin() + message.say(event)

    def _think(self, event: ThinkingDelta) -> bytes:
        thought = self._spoken
        if isinstance(thought, WrittenReasoning) and not thought.is_sealed and not event.redacted:
            return thought.think(event)
        before = self._end_spoken()
        place = self._next_place()
        self._spoken_at = place
        self._spoken = thought = WrittenReasoning(self._events, item_id("rs", self._response["id"], place), place)
        return before + thought.begin() + thought.think(event)

    def _argue(self, event: ToolCallDelta) -> bytes:
        known = self._calls.get(event.index)
        if known is not None:
            return known[1].argue(event)
        before = self._end_spoken()
        place = self._next_place()
        call = WrittenCall(self._events, item_id("fc", self._response["id"], place), place, event)
        self._calls[event.index] = (place, call)
        return before + call.begin() + call.argue(event)

    def _next_place(self) -> int:
        self._places += 1
        return self._places - 1

    def _end_spoken(self, status: str = "completed") -> bytes:
        if self._spoken is None:
            return b""
        spoken, self._spoken = self._spoken, None
        return self._end(self._spoken_at, spoken, status)

    def _end(self, place: int, item: WrittenMessage | WrittenReasoning | WrittenCall, status: str) -> bytes:
        written, self._done[place] = item.end(status)
        return written


def _number_after(wire: bytes) -> int:
    """The number that follows on those of the relayed events `wire`; 0 where they have none."""
    _, found, rest = wire.rpartition(_NUMBER)
    digits = rest.lstrip()[:12].split(b",")[0].split(b"}")[0]
    return int(digits) + 1 if found and digits.isdigit() else 0
