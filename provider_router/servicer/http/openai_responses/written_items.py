"""Items of a response while they are written: each says what happens to it, and what it is in the end."""

from __future__ import annotations

from typing import Any

import orjson

from provider_router.domain.calls.chat import ToolCall
from provider_router.domain.calls.content import RefusalPart, TextPart, ThinkingPart
from provider_router.domain.calls.events import TextDelta, ThinkingDelta, ToolCallDelta
from provider_router.domain.calls.growing_text import growing_text
from provider_router.servicer.http.openai_responses.output_items import content, function_call, message_item, reasoning


class Events:
    """Writes events in their order. Apart from who writes the stream, so that an item does not hold who holds it.

    Attributes:
        number: Of the next one.
    """

    def __init__(self) -> None:
        self.number = 0

    def event(self, kind: str, **fields: Any) -> bytes:
        """The event `response.<kind>`."""
        body = orjson.dumps({"type": f"response.{kind}", "sequence_number": self.number, **fields})
        self.number += 1
        return b"event: response.%b\ndata: %b\n\n" % (kind.encode(), body)

    def delta_of(self, opening: bytes, piece: str) -> bytes:
        """The event that `opening` opens, with the next piece of a text; for each piece, so without an object."""
        number = self.number
        self.number = number + 1
        return b'%b%d,"delta":%b}\n\n' % (opening, number, orjson.dumps(piece))


def opening_of(kind: str, **place: Any) -> bytes:
    """What all deltas of one text have in common, up to the number of the event."""
    body = orjson.dumps({"type": f"response.{kind}", **place})
    return f"event: response.{kind}\ndata: ".encode() + body[:-1] + b',"sequence_number":'


class WrittenMessage:
    """A message that is being written: texts and refusals, one after another."""

    def __init__(self, events: Events, own_id: str, place: int) -> None:
        self._events = events
        self._id = own_id
        self._place = place
        self._contents: list[dict[str, Any]] = []
        self._kind: type[TextPart | RefusalPart] | None = None
        self._text = growing_text()
        self._opening = b""

    def begin(self) -> bytes:
        """The item is added."""
        item = message_item(self._id, [], "in_progress")
        return self._events.event("output_item.added", output_index=self._place, item=item)

    def say(self, event: TextDelta) -> bytes:
        """More of it is said."""
        kind = RefusalPart if event.refusal else TextPart
        if kind is not self._kind:
            before = self._end_part()
            return before + self._begin_part(kind) + self._piece(event.text)
        return self._piece(event.text)

    def end(self, status: str) -> tuple[bytes, dict[str, Any]]:
        """The item is done."""
        written = self._end_part()
        item = message_item(self._id, self._contents, status)
        return written + self._events.event("output_item.done", output_index=self._place, item=item), item

    def _piece(self, text: str) -> bytes:
        self._text.write(text)
        return self._events.delta_of(self._opening, text)

    def _where(self) -> dict[str, Any]:
        return {"item_id": self._id, "output_index": self._place, "content_index": len(self._contents)}

    def _begin_part(self, kind: type[TextPart | RefusalPart]) -> bytes:
        self._kind = kind
        where = self._where()
        if kind is TextPart:
            self._opening = opening_of("output_text.delta", **where, logprobs=[])
        else:
            self._opening = opening_of("refusal.delta", **where)
        return self._events.event("content_part.added", **where, part=content(kind("")))

    def _end_part(self) -> bytes:
        if self._kind is None:
            return b""
        where, part = self._where(), content(self._kind(self._text.getvalue()))
        if self._kind is TextPart:
            written = self._events.event("output_text.done", **where, text=part["text"], logprobs=[])
        else:
            written = self._events.event("refusal.done", **where, refusal=part["refusal"])
        self._contents.append(part)
        self._text = growing_text()
        return written + self._events.event("content_part.done", **where, part=part)


class WrittenReasoning:
    """A thought that is being written."""

    def __init__(self, events: Events, own_id: str, place: int) -> None:
        self._events = events
        self._id = own_id
        self._place = place
        self._text = growing_text()
        self._where = {"item_id": own_id, "output_index": place, "summary_index": 0}
        self._opening = opening_of("reasoning_summary_text.delta", **self._where)
        self._sealed = ThinkingPart()

    @property
    def is_sealed(self) -> bool:
        """Whether nothing more belongs to it."""
        return bool(self._sealed.signature or self._sealed.redacted)

    def begin(self) -> bytes:
        """The item is added."""
        item = reasoning(self._id, ThinkingPart())
        return self._events.event("output_item.added", output_index=self._place, item=item)

    def think(self, event: ThinkingDelta) -> bytes:
        """More of it is thought."""
        self._sealed = ThinkingPart(signature=event.signature, redacted=event.redacted)
        if not event.text:
            return b""
        opened = b"" if self._text.tell() else self._part("added", "")
        self._text.write(event.text)
        return opened + self._events.delta_of(self._opening, event.text)

    def end(self, status: str) -> tuple[bytes, dict[str, Any]]:
        """The item is done; a thought has no status."""
        del status
        text = self._text.getvalue()
        written = b""
        if text:
            written = self._events.event("reasoning_summary_text.done", **self._where, text=text)
            written += self._part("done", text)
        item = reasoning(self._id, ThinkingPart(text, self._sealed.signature, self._sealed.redacted))
        return written + self._events.event("output_item.done", output_index=self._place, item=item), item

    def _part(self, what: str, text: str) -> bytes:
        part = {"type": "summary_text", "text": text}
        return self._events.event(f"reasoning_summary_part.{what}", **self._where, part=part)


class WrittenCall:
    """A function call that is being written."""

    def __init__(self, events: Events, own_id: str, place: int, first: ToolCallDelta) -> None:
        self._events = events
        self._id = own_id
        self._place = place
        self._call = ToolCall(first.id, first.name, "")
        self._text = growing_text()
        self._opening = opening_of("function_call_arguments.delta", item_id=own_id, output_index=place)

    def begin(self) -> bytes:
        """The item is added."""
        item = function_call(self._id, self._call, "in_progress")
        return self._events.event("output_item.added", output_index=self._place, item=item)

    def argue(self, event: ToolCallDelta) -> bytes:
        """More of its arguments are there."""
        if not event.arguments_json:
            return b""
        self._text.write(event.arguments_json)
        return self._events.delta_of(self._opening, event.arguments_json)

    def end(self, status: str) -> tuple[bytes, dict[str, Any]]:
        """The item is done."""
        call = ToolCall(self._call.id, self._call.name, self._text.getvalue())
        item = function_call(self._id, call, status)
        written = self._events.event(
            "function_call_arguments.done",
            item_id=self._id,
            output_index=self._place,
            name=call.name,
            arguments=call.arguments_json,
        )
        return written + self._events.event("output_item.done", output_index=self._place, item=item), item
