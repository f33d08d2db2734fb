"""Opens calls step by step over other ports, for a limiter that has its levels elsewhere."""

from __future__ import annotations

from provider_router.domain.decisions.call_entry import AttemptEntry, CallEntry, Limited, NoRoom
from provider_router.ports.decision_log import DecisionLog
from provider_router.ports.ledger import Ledger
from provider_router.ports.rate_limiter import RateLimiter


class StepwiseCallOpener:
    """Implements `CallOpener`."""

    def __init__(self, log: DecisionLog, limiter: RateLimiter, ledger: Ledger) -> None:
        self._log = log
        self._limiter = limiter
        self._ledger = ledger

    async def open(self, call: CallEntry | None, attempt: AttemptEntry | None) -> NoRoom | None:
        """See `CallOpener.open`."""
        if call is not None and (no_room := await self._enter(call)) is not None:
            return no_room
        if attempt is None:
            return None
        if attempt.charges and (wait_s := await self._limiter.acquire(attempt.charges)):
            return NoRoom(Limited.PROVIDER, wait_s)
        try:
            await self._ledger.open(attempt.opening)
        except BaseException:
            await self._limiter.give_back(attempt.charges)
            raise
        return None

    async def _enter(self, call: CallEntry) -> NoRoom | None:
        if call.requests_to_take and (wait_s := await self._limiter.acquire(call.requests_to_take)):
            return NoRoom(Limited.REQUESTS, wait_s)
        await self._log.append(call.decision_id, call.decision, call.world)
        if call.tokens and (wait_s := await self._limiter.acquire(call.tokens)):
            await self._limiter.give_back(call.requests)
            return NoRoom(Limited.TOKENS, wait_s)
        return None
