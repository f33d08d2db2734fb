"""Speak one turn's text: streamed as it comes, parted from what was said before."""

from __future__ import annotations

from orchestrator.use_cases.record_events import RecordEvents

PARAGRAPH = "\n\n"


class SpeakTurn:
    """The text of one turn. Joined, all deltas of a run are its answer, so what parts two turns is spoken too."""

    def __init__(self, events: RecordEvents, said_before: str) -> None:
        self._events = events
        self._before = said_before
        self._parts: list[str] = []

    @property
    def text(self) -> str:
        """What this turn has said, without the parting."""
        return "".join(self._parts)

    @property
    def answer(self) -> str:
        """What the run has said with this turn."""
        if not self._parts:
            return self._before
        return self._before + PARAGRAPH + self.text if self._before else self.text

    async def say(self, text: str) -> None:
        """Stream more text. Blanks at the start of a turn are left out: they are noise of the model's template.

        Raises:
            LogUnwritable: when the log cannot be written.
        """
        if not self._parts:
            text = text.lstrip()
            if not text:
                return
            if self._before:
                self._parts.append(text)
                await self._events.say(PARAGRAPH + text)
                return
        self._parts.append(text)
        await self._events.say(text)
