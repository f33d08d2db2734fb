"""Work that computes for long, beside calls that are in a hurry: few at once, in slices, none before its turn.

Everything runs in one event loop, so work that does not stop keeps every call waiting.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from provider_router.domain.errors import Reason, failure

_SLICE_S = 0.002
_LONGEST_REST_S = 0.05
_RETRY_AFTER_S = 5.0


class Slices:
    """Cuts work into slices of two milliseconds, after each of which others have as much time as it took."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._began_s = self._loop.time()

    async def rest(self) -> None:
        """Lets others work, if it is time for that. To be called between two steps."""
        worked_s = self._loop.time() - self._began_s
        if worked_s >= _SLICE_S:
            await asyncio.sleep(min(worked_s, _LONGEST_REST_S))
            self._began_s = self._loop.time()


@dataclass(slots=True)
class _Line:
    """Those of one organisation: the one whose turn it is, and those that wait."""

    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    length: int = 0


class LongWork:
    """Gives turns: one at a time to each organisation, so that none keeps another one waiting by asking often.

    Args:
        at_once: Of all organisations together, at least 1.
        waiting: Of one organisation, behind the one whose turn it is; more are refused.
    """

    def __init__(self, at_once: int = 2, waiting: int = 2) -> None:
        self._room = asyncio.Semaphore(at_once)
        self._waiting = waiting
        self._lines: dict[str, _Line] = {}

    @asynccontextmanager
    async def turn(self, org_id: str) -> AsyncGenerator[Slices, None]:
        """Waits for a turn, which lasts until the block ends.

        Raises:
            QuotaExceeded: RATE_LIMITED, when too many of the organisation wait already.
        """
        line = self._lines.setdefault(org_id, _Line())
        if line.length > self._waiting:
            raise failure(
                Reason.RATE_LIMITED,
                "Your organisation has several replays or verifications under way. Wait for one of them to end.",
                metadata={"limited": "replays"},
                retry_after_s=_RETRY_AFTER_S,
            )
        line.length += 1
        try:
            async with line.turn, self._room:
                yield Slices()
        finally:
            line.length -= 1
            if not line.length:
                del self._lines[org_id]
