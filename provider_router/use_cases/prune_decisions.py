"""Removes records of decisions that are too old, or too many."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from provider_router.ports.decision_log import DecisionLog
from shared.clock import Clock

_STEP = 100
"""Records that are removed in one transaction, for which the writes of calls wait."""


@dataclass(frozen=True, slots=True)
class Retention:
    """How long records are kept.

    Attributes:
        age: Older ones are removed.
        count: Of each organisation, more than the newest so many are removed, too.
        every_s: Seconds between two looks.
    """

    age: timedelta
    count: int
    every_s: float = 60.0


class PruneDecisions:
    """Removes records step by step, so that no call waits long. What stays can still be verified."""

    def __init__(self, log: DecisionLog, clock: Clock, retention: Retention) -> None:
        self._log = log
        self._clock = clock
        self._retention = retention

    async def __call__(self) -> int:
        """Removes what is not to be kept; returns how many records that were.

        Raises:
            UpstreamDown: The store cannot be written.
        """
        older_than = self._clock.now() - self._retention.age
        total = 0
        while removed := await self._log.prune(older_than=older_than, keep=self._retention.count, limit=_STEP):
            total += removed
        return total

    async def watch(self) -> None:
        """Removes again and again, until cancelled. Raises as a call does; may be begun again."""
        while True:
            await asyncio.sleep(self._retention.every_s)
            await self()
