"""Wakes the watchers of runs inside one process."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Generator
from contextlib import contextmanager, suppress

from shared.errors import UpstreamDown


class _Ear:
    """One watcher: an event that is set when the log has grown."""

    def __init__(self, signal: InProcessRunSignal) -> None:
        self.grown = asyncio.Event()
        self._signal = signal

    async def wait(self, timeout_s: float) -> None:
        """See `Subscription.wait`."""
        if self._signal.closed:
            raise UpstreamDown(
                "STOPPING", "The orchestrator is being stopped; its runs go on when it is back.", retry_after_s=2.0
            )
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self.grown.wait()
        self.grown.clear()


class InProcessRunSignal:
    """`RunSignal` for watchers in the process that writes. A run that nobody watches costs nothing."""

    def __init__(self) -> None:
        self.closed = False
        self._ears: defaultdict[str, set[_Ear]] = defaultdict(set)

    def notify(self, run_id: str) -> None:
        """See `RunSignal.notify`."""
        for ear in self._ears.get(run_id, ()):
            ear.grown.set()

    def close(self) -> None:
        """End all watching, now and from now on: those who wait are told that the process stops."""
        self.closed = True
        for ears in self._ears.values():
            for ear in ears:
                ear.grown.set()

    @contextmanager
    def subscribed(self, run_id: str) -> Generator[_Ear]:
        """See `RunSignal.subscribed`."""
        ear = _Ear(self)
        self._ears[run_id].add(ear)
        try:
            yield ear
        finally:
            ears = self._ears[run_id]
            ears.discard(ear)
            if not ears:
                del self._ears[run_id]
