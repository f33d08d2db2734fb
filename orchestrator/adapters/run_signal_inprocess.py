"""Wakes the watchers of runs inside one process."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Generator
from contextlib import contextmanager, suppress


class _Ear:
    """One watcher: an event that is set when the log has grown."""

    def __init__(self) -> None:
        self.grown = asyncio.Event()

    async def wait(self, timeout_s: float) -> None:
        """See `Subscription.wait`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self.grown.wait()
        self.grown.clear()


class InProcessRunSignal:
    """`RunSignal` for watchers in the process that writes. A run that nobody watches costs nothing."""

    def __init__(self) -> None:
        self._ears: defaultdict[str, set[_Ear]] = defaultdict(set)

    def notify(self, run_id: str) -> None:
        """See `RunSignal.notify`."""
        for ear in self._ears.get(run_id, ()):
            ear.grown.set()

    @contextmanager
    def subscribed(self, run_id: str) -> Generator[_Ear]:
        """See `RunSignal.subscribed`."""
        ear = _Ear()
        self._ears[run_id].add(ear)
        try:
            yield ear
        finally:
            ears = self._ears[run_id]
            ears.discard(ear)
            if not ears:
                del self._ears[run_id]
