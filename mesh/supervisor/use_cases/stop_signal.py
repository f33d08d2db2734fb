"""How a mesh is told to stop: please, then at once."""

from __future__ import annotations

import asyncio


class StopSignal:
    """Set from signal handlers, awaited by the watchers. Must be made inside the event loop that uses it."""

    def __init__(self) -> None:
        self.requested = asyncio.Event()
        self.at_once = asyncio.Event()

    def later(self) -> StopSignal:
        """Return a signal of its own that shares `at_once`: for those who are asked to stop behind others."""
        behind = StopSignal()
        behind.at_once = self.at_once
        return behind

    def request(self) -> None:
        """Ask to stop; asked a second time, everything is killed at once."""
        if self.requested.is_set():
            self.at_once.set()
        self.requested.set()


async def happened(event: asyncio.Event, within_s: float) -> bool:
    """Wait for the event, at most `within_s` seconds; return whether it happened."""
    try:
        async with asyncio.timeout(within_s):
            await event.wait()
    except TimeoutError:
        return False
    return True
