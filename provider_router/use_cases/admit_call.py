"""Lets a caller in, within the rate limits of its organisation, key and user."""

from __future__ import annotations

import math
from collections.abc import Sequence

from provider_router.domain.decisions.route_request import Caller
from provider_router.domain.errors import Reason, failure
from provider_router.domain.money.rate import Charge
from provider_router.ports.limit_book import LimitBook
from provider_router.ports.rate_limiter import RateLimiter
from shared.errors import NexusError, UpstreamDown


class AdmitCall:
    """Takes of the caller's buckets: one request before anything else is done, tokens when it is known how many."""

    def __init__(self, book: LimitBook, limiter: RateLimiter) -> None:
        self._book = book
        self._limiter = limiter

    async def request(self, caller: Caller) -> None:
        """Takes one request.

        Raises:
            QuotaExceeded: RATE_LIMITED, with the time to wait.
        """
        await self._take(self._book.request_charges(caller), "requests")

    async def tokens(self, caller: Caller, expected: int) -> None:
        """Takes the tokens that a call is expected to use.

        Raises:
            QuotaExceeded: RATE_LIMITED, with the time to wait; the call's request is given back.
        """
        try:
            await self._take(self._book.token_charges(caller, expected), "tokens")
        except BaseException:
            await self._give_back(self._book.request_charges(caller))
            raise

    async def settle(self, caller: Caller, expected: int, used: int) -> None:
        """Corrects what `tokens` took, when it is known how many were used."""
        await self._give_back(self._book.token_charges(caller, expected - used))

    async def _take(self, charges: Sequence[Charge], what: str) -> None:
        wait_s = await self._limiter.acquire(charges) if charges else 0.0
        if wait_s > 0:
            raise rate_limited(what, wait_s)

    async def _give_back(self, charges: Sequence[Charge]) -> None:
        if charges:
            # What cannot be given back comes back by itself within a minute; no answer is worse for it.
            try:
                await self._limiter.give_back(charges)
            except UpstreamDown:
                return


def rate_limited(what: str, wait_s: float) -> NexusError:
    """The error for a caller without room for `what`, for the caller of this to raise."""
    return failure(
        Reason.RATE_LIMITED,
        f"Too many {what} in a minute; try again in {math.ceil(wait_s)} s. `limits.yaml` has the limits.",
        metadata={"limited": what},
        retry_after_s=wait_s,
    )
