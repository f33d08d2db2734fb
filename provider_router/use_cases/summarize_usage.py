"""Sums up the ledger by model."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from provider_router.domain.errors import Reason, failure
from provider_router.domain.money.model_usage import ModelUsage
from provider_router.ports.ledger import Ledger
from shared.clock import Clock


class SummarizeUsage:
    """Reads the ledger."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock

    async def __call__(self, org_id: str, since: datetime | None, until: datetime | None) -> Sequence[ModelUsage]:
        """The closed attempts of `org_id` that began in a time, by model, the dearest first.

        Args:
            org_id: Whose.
            since: None for the start of the month, UTC.
            until: None for now.

        Raises:
            InvalidInput: TIME_RANGE_INVALID.
            UpstreamDown: The ledger cannot be read.
        """
        now = self._clock.now()
        begin = since or now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        end = until or now
        if end < begin:
            raise failure(Reason.TIME_RANGE_INVALID, "The time to sum up ends before it begins.")
        return await self._ledger.summary(org_id, begin, end)
