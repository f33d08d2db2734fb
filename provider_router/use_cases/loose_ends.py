"""Work that may outlive the call that it belongs to: settling what was given up."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


class LooseEnds:
    """Owns the tasks of such work, so that none is lost or forgotten: each is bounded, and the router's end waits."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def add(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Starts `work`, which must not raise, and keeps it until it is done."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def tied(self, within_s: float) -> None:
        """Waits until all of it is done, at most `within_s` seconds; what is not done then goes on."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=within_s)
