"""Work that may outlive the call that it belongs to: settling what was given up."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from provider_router.domain.traffic.call_failure import shutting_down
from shared.errors import NexusError


class LooseEnds:
    """Owns the tasks of such work, so that none is lost or forgotten: each is bounded, and the router's end waits.

    Attributes:
        is_stopping: Whether the router was asked to end, so that calls which are given up are given up for that.
    """

    def __init__(self) -> None:
        self.is_stopping = False
        self._tasks: set[asyncio.Task[None]] = set()

    def add(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Starts `work`, which must not raise, and keeps it until it is done."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def why(self) -> NexusError | None:
        """Why calls are given up now; None where that is a matter of their callers."""
        return shutting_down() if self.is_stopping else None

    async def tied(self, within_s: float) -> None:
        """Waits until all of it is done, at most `within_s` seconds; what is not done then goes on."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=within_s)
