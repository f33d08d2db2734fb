"""Follows a run to its end through crashes of the service that serves it: every event once, in order."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Protocol

from protos.gen.nexus.agent.v1.agent_pb2 import RunEvent
from shared.clock import Clock
from shared.errors import UpstreamDown

TERMINAL = frozenset({"run_finished", "run_failed", "run_cancelled"})
_FIRST_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 2.0


class RunSource(Protocol):
    """Where events come from."""

    def start(self) -> AsyncGenerator[RunEvent]:
        """Start the run, or find it when it was started before, and stream its events from the first one.

        Raises:
            UpstreamDown: when the service cannot be reached or is lost.
            NexusError: when it refuses.
        """
        ...

    def watch(self, run_id: str, after_sequence: int) -> AsyncGenerator[RunEvent]:
        """Stream the events after a sequence number. Raises as `start` does."""
        ...


def kind_of(event: RunEvent) -> str:
    """Return the name of what happened, for example `token_delta`."""
    return event.WhichOneof("payload") or ""


class RunFollower:
    """Streams the events of one run.

    Args:
        source: where they come from.
        clock: measures patience.
        pause: waits a number of seconds.
        on_trouble: called with a sentence when the connection is lost.
        patience_s: longest time without any event after the connection was lost.
    """

    def __init__(
        self,
        source: RunSource,
        clock: Clock,
        pause: Callable[[float], Awaitable[None]],
        on_trouble: Callable[[str], None],
        patience_s: float = 60.0,
    ) -> None:
        self._source = source
        self._clock = clock
        self._pause = pause
        self._on_trouble = on_trouble
        self._patience_s = patience_s
        self._last_sequence = 0
        self.run_id = ""

    async def events(self) -> AsyncIterator[RunEvent]:
        """Yield each event once, the terminal one last.

        Raises:
            UpstreamDown: when the service stays away for longer than the patience.
            NexusError: when it refuses.
        """
        lost_at_s: float | None = None
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                async with aclosing(self._connect()) as stream:
                    async for event in stream:
                        lost_at_s, pause_s = None, _FIRST_PAUSE_S
                        if self._is_new(event):
                            yield event
                        if kind_of(event) in TERMINAL:
                            return
                trouble = UpstreamDown("STREAM_CUT", "The events ended before the run did.")
            except UpstreamDown as error:
                trouble = error
            now_s = self._clock.monotonic()
            if lost_at_s is None:
                lost_at_s = now_s
                self._on_trouble(f"{trouble.message} Trying again for up to {self._patience_s:.0f} s.")
            if now_s - lost_at_s >= self._patience_s:
                raise trouble
            await self._pause(pause_s)
            pause_s = min(_LONGEST_PAUSE_S, pause_s * 2)

    def _connect(self) -> AsyncGenerator[RunEvent]:
        return self._source.watch(self.run_id, self._last_sequence) if self.run_id else self._source.start()

    def _is_new(self, event: RunEvent) -> bool:
        if event.sequence <= self._last_sequence:
            return False
        self.run_id, self._last_sequence = event.run_id, event.sequence
        return True
