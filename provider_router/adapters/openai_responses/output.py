"""What a response holds, as it comes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from provider_router.adapters.http.answer_bounds import AnswerBounds
from provider_router.adapters.http.chat_stream import AT_WORK, Decoded
from provider_router.adapters.http.json_fields import MalformedAnswerError, as_list, as_object, as_text

_BETWEEN_THOUGHTS = "\n\n"


class Output:
    """Collects the items of one response, by their places.

    Texts, thoughts and arguments come as deltas. Some servers leave the deltas out and give only the finished items:
    what came as deltas is never taken again from those.
    """

    def __init__(self) -> None:
        self.bounds = AnswerBounds()
        self.has_refused = False
        # Places whose text came.
        self._texts: set[int] = set()
        # By place: the kind and the number of the part of the thought that came last.
        self._thoughts: dict[int, tuple[str, int]] = {}
        # By place: our index of the tool call, and whether arguments came.
        self._calls: dict[int, tuple[int, bool]] = {}

    @property
    def has_begun(self) -> bool:
        """Whether some of what is said or called came."""
        return bool(self._texts or self._calls)

    def text(self, place: int, text: str, *, refusal: bool = False) -> list[Decoded]:
        """More of a message."""
        if not text:
            return []
        self._texts.add(place)
        self.has_refused = self.has_refused or refusal
        return [self.bounds.text(text, refusal=refusal)]

    def thought(self, place: int, part: tuple[str, int], text: str) -> list[Decoded]:
        """More of a thought. Of one that is told both in full and as a summary, what comes first is taken."""
        last = self._thoughts.setdefault(place, part)
        if not text or last[0] != part[0]:
            return [AT_WORK]
        self._thoughts[place] = part
        return [self.bounds.thinking(text if part == last else _BETWEEN_THOUGHTS + text)]

    def open(self, place: int, item: Mapping[str, Any]) -> list[Decoded]:
        """An item begins."""
        if as_text(item.get("type")) != "function_call" or place in self._calls:
            return [] if place in self._calls else [AT_WORK]
        opening = self.bounds.open_call(as_text(item.get("call_id")), as_text(item.get("name")))
        self._calls[place] = (opening.index, False)
        return [opening]

    def arguments(self, place: int, piece: str) -> list[Decoded]:
        """More arguments of a call."""
        call = self._calls.get(place)
        if call is None:
            raise MalformedAnswerError("arguments of a tool call that was not opened")
        if not piece:
            return []
        self._calls[place] = (call[0], True)
        return [self.bounds.arguments(call[0], piece)]

    def item(self, place: int, item: Mapping[str, Any]) -> list[Decoded]:
        """A finished item: what of it did not come as deltas."""
        match as_text(item.get("type")):
            case "message" if place not in self._texts:
                parts = [as_object(part) for part in as_list(item.get("content"))]
                return [event for part in parts for event in self._said(place, part)]
            case "reasoning" if place not in self._thoughts:
                return self._summed_up(place, item)
            case "function_call":
                opened = self.open(place, item)
                has_arguments = self._calls[place][1]
                return opened if has_arguments else [*opened, *self.arguments(place, as_text(item.get("arguments")))]
            case _:
                return [AT_WORK]

    def _said(self, place: int, part: Mapping[str, Any]) -> list[Decoded]:
        refusal = as_text(part.get("refusal"))
        return self.text(place, refusal or as_text(part.get("text")), refusal=bool(refusal))

    def _summed_up(self, place: int, item: Mapping[str, Any]) -> list[Decoded]:
        """A thought. Only its own provider reads what seals it, and callers of the dialect are sent that as it is."""
        parts = as_list(item.get("summary")) or as_list(item.get("content"))
        texts = [as_text(as_object(part).get("text")) for part in parts]
        return self.thought(place, ("item", 0), _BETWEEN_THOUGHTS.join(filter(None, texts)))
