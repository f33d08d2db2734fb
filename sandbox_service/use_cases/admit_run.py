"""Admit a run: so many at a time, so many that wait, the rest is sent away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from sandbox_service.domain.errors import sandbox_busy


class AdmitRun:
    """Hands out the places of runs.

    Args:
        places: most runs at a time.
        queue: most callers that wait for a place.
    """

    def __init__(self, places: int, queue: int) -> None:
        self._places = asyncio.Semaphore(places)
        self._queue = queue
        self._waiting = 0

    async def __call__(self) -> Callable[[], None]:
        """Wait for a place and return what gives it back, which may be called more than once.

        Raises:
            QuotaExceeded: SANDBOX_BUSY, when as many callers wait as may.
        """
        if self._places.locked() and self._waiting >= self._queue:
            raise sandbox_busy()
        self._waiting += 1
        try:
            await self._places.acquire()
        finally:
            self._waiting -= 1
        return self._once()

    def _once(self) -> Callable[[], None]:
        held = True

        def give_back() -> None:
            nonlocal held
            if held:
                held = False
                self._places.release()

        return give_back
