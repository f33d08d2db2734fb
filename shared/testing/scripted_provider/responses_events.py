"""The events of a streamed response, numbered, as OpenAI sends them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import orjson

from shared.testing.scripted_provider.dialect import pieces
from shared.testing.scripted_provider.request import JsonObject


class ResponsesEvents:
    """Writes the events of one stream.

    An item is announced in one frame with its first piece, so that a fault after some pieces comes after as many.
    """

    def __init__(self, first: int = 0) -> None:
        """Prepare a stream whose first event has the number `first`."""
        self._numbers = count(first)

    def event(self, kind: str, **fields: object) -> bytes:
        """Return one event."""
        data = orjson.dumps({"type": kind, "sequence_number": next(self._numbers), **fields})
        return b"event: " + kind.encode() + b"\ndata: " + data + b"\n\n"

    def content(self, items: list[JsonObject], size: int) -> Iterator[bytes]:
        """Yield the events of finished items, in pieces of `size` characters."""
        for place, item in enumerate(items):
            yield from _joined_to_next(self._item(place, item, size))

    def _item(self, place: int, item: JsonObject, size: int) -> Iterator[tuple[bytes, bool]]:
        """Each event of an item, and whether it stands alone."""
        hollow: dict[str, JsonObject] = {
            "message": {"content": [], "status": "in_progress"},
            "function_call": {"arguments": ""},
        }
        begun = item | hollow.get(item["type"], {"summary": []})
        yield self.event("response.output_item.added", output_index=place, item=begun), False
        at = {"item_id": item["id"], "output_index": place}
        match item["type"]:
            case "message":
                for index, part in enumerate(item["content"]):
                    yield from self._part({**at, "content_index": index}, part, size)
            case "function_call":
                whole = item["arguments"]
                yield from self._pieces("response.function_call_arguments", at, ("arguments", whole), size)
            case _:
                for index, part in enumerate(item["summary"]):
                    yield from self._summary({**at, "summary_index": index}, part, size)
        yield self.event("response.output_item.done", output_index=place, item=item), True

    def _part(self, at: JsonObject, part: JsonObject, size: int) -> Iterator[tuple[bytes, bool]]:
        field = "text" if part["type"] == "output_text" else "refusal"
        yield self.event("response.content_part.added", **at, part={**part, field: ""}), False
        logprobs: JsonObject = {"logprobs": []} if field == "text" else {}
        name = "response.output_text" if field == "text" else "response.refusal"
        yield from self._pieces(name, {**at, **logprobs}, (field, part[field]), size)
        yield self.event("response.content_part.done", **at, part=part), True

    def _summary(self, at: JsonObject, part: JsonObject, size: int) -> Iterator[tuple[bytes, bool]]:
        yield self.event("response.reasoning_summary_part.added", **at, part={**part, "text": ""}), False
        yield from self._pieces("response.reasoning_summary_text", at, ("text", part["text"]), size)
        yield self.event("response.reasoning_summary_part.done", **at, part=part), True

    def _pieces(self, name: str, at: JsonObject, whole: tuple[str, str], size: int) -> Iterator[tuple[bytes, bool]]:
        field, text = whole
        for piece in pieces(text, size):
            yield self.event(f"{name}.delta", **at, delta=piece), True
        yield self.event(f"{name}.done", **at, **{field: text}), True


def _joined_to_next(events: Iterator[tuple[bytes, bool]]) -> Iterator[bytes]:
    held = b""
    for data, stands_alone in events:
        held += data
        if stands_alone:
            yield held
            held = b""
