"""Finds words in text that comes in pieces."""

from __future__ import annotations

from dataclasses import dataclass, field

from tool_executor.domain.artifact import text_of

_AROUND_BYTES = 160


@dataclass(frozen=True, slots=True)
class Match:
    """Where words stand: the offset of their first byte, and the text around them."""

    offset: int
    text: str


@dataclass(slots=True)
class TextSearch:
    """Collects the matches of one search; capital and small ASCII letters count alike.

    Args:
        words: what to look for, not empty.
        offset: where the first piece begins, in bytes.
        most: most matches to collect.
    """

    words: str
    offset: int
    most: int
    matches: list[Match] = field(default_factory=list[Match])
    _held: bytes = b""
    """Bytes that a match may begin in or need around it."""
    _from: int = 0
    """Where in them to look on."""

    @property
    def full(self) -> bool:
        """Whether no more is collected."""
        return len(self.matches) >= self.most

    def add(self, piece: bytes, *, last: bool) -> None:
        """Look through the next piece; `last` says that none follows."""
        self._held += piece
        needle, lower = self.words.encode().lower(), self._held.lower()
        # A match is told once what stands behind it is there too.
        until = len(lower) if last else len(lower) - len(needle) - _AROUND_BYTES
        while not self.full:
            at = lower.find(needle, self._from)
            if at < 0 or at > until:
                break
            around = self._held[max(0, at - _AROUND_BYTES) : at + len(needle) + _AROUND_BYTES]
            self.matches.append(
                Match(self.offset + at, text_of(around, inside=True) or around.decode(errors="replace"))
            )
            self._from = at + len(needle)
        self._from = max(self._from, until + 1 if not last else 0)
        done = max(0, min(self._from, len(self._held)) - _AROUND_BYTES)
        self._held, self.offset, self._from = self._held[done:], self.offset + done, self._from - done
