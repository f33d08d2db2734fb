"""Record what happens in a run: text in small batches, everything in order, by one writer."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from orchestrator.domain.errors import LogUnwritable
from orchestrator.domain.events import AnswerReset, NewEvent, Progress, TokenDelta
from orchestrator.domain.run import Run
from orchestrator.ports.run_store import RunStore
from shared.clock import Clock
from shared.errors import NexusError

FLUSH_AFTER_S = 0.04
FLUSH_CHARS = 256
MOST_WAITING_CHARS = 8192


class RecordEvents:
    """The event log of one attempt at a run, as it is written.

    One task writes, so that a cancelled step can never leave a half-known write behind. Text is merged until 40 ms
    have passed or 256 characters are there; the first text and everything that is no text go out at once. Nothing
    is shown to a watcher before it is stored.

    Args:
        store: where the log is.
        clock: the time of the events.
        run: the attempt; its number fences the writes.
        text: what watchers have seen of the answer so far.
    """

    def __init__(self, store: RunStore, clock: Clock, run: Run, text: str = "") -> None:
        self._store = store
        self._clock = clock
        self._run = run
        self._said = [text] if text else []
        self._waiting: list[NewEvent] = []
        self._waiting_chars = 0
        self._spoken = bool(text)
        self._something = asyncio.Event()
        self._urgent = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._closing = False
        self._error: NexusError | None = None
        self._writer: asyncio.Task[None] | None = None

    @property
    def text(self) -> str:
        """The text of the answer so far, as a watcher has it or will have it."""
        return "".join(self._said)

    def open(self) -> None:
        """Start the writer."""
        self._writer = asyncio.create_task(self._write(), name=f"events:{self._run.run_id}")

    async def close(self, *, flush: bool) -> list[NewEvent]:
        """Stop the writer; write what waits, or return it for the transaction that ends the run.

        Raises:
            LogUnwritable: when the log cannot be written.
        """
        self._closing = True
        self._something.set()
        self._urgent.set()
        if self._writer is not None:
            await asyncio.wait({self._writer})
        rest = self._take()
        if not flush or not rest:
            return rest
        try:
            await self._store.append(self._run, rest)
        except NexusError as error:
            raise LogUnwritable(str(error)) from error
        return []

    def note(self, event: Progress, *, urgent: bool = True) -> None:
        """Add an event; it is written soon, at once when it is urgent."""
        self._add(event)
        if urgent:
            self._urgent.set()

    async def say(self, text: str) -> None:
        """Add text to the answer. Waits while too much is unwritten.

        Raises:
            LogUnwritable: when the log cannot be written.
        """
        if not text:
            return
        self._check()
        self._said.append(text)
        self._add(TokenDelta(text))
        self._waiting_chars += len(text)
        if not self._spoken or self._waiting_chars >= FLUSH_CHARS:
            self._spoken = True
            self._urgent.set()
        if self._waiting_chars >= MOST_WAITING_CHARS:
            await self.flush()

    def reset(self, reason: str, text: str) -> None:
        """Void the text that watchers have, and give them `text` in its place."""
        self._said = [text] if text else []
        self.note(AnswerReset(reason))
        if text:
            self.note(TokenDelta(text))

    async def flush(self) -> None:
        """Return when all that was added is stored.

        Raises:
            LogUnwritable: when the log cannot be written.
        """
        self._urgent.set()
        await self._idle.wait()
        self._check()

    def _check(self) -> None:
        if self._error is not None:
            raise LogUnwritable(str(self._error)) from self._error

    def _add(self, event: Progress) -> None:
        last = self._waiting[-1] if self._waiting else None
        if isinstance(event, TokenDelta) and last is not None and isinstance(last.payload, TokenDelta):
            merged = TokenDelta(last.payload.text + event.text)
            self._waiting[-1] = NewEvent(last.created_at, merged)
        else:
            self._waiting.append(NewEvent(self._clock.now(), event))
        self._idle.clear()
        self._something.set()

    def _take(self) -> list[NewEvent]:
        batch, self._waiting = self._waiting, []
        self._waiting_chars = 0
        return batch

    async def _write(self) -> None:
        while not self._closing:
            await self._something.wait()
            with suppress(TimeoutError):
                async with asyncio.timeout(FLUSH_AFTER_S):
                    await self._urgent.wait()
            if self._closing:
                return
            self._something.clear()
            self._urgent.clear()
            batch = self._take()
            try:
                if batch:
                    await self._store.append(self._run, batch)
            except NexusError as error:
                self._error = error
                self._idle.set()
                return
            if not self._waiting:
                self._idle.set()
