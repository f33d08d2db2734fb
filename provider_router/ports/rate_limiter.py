"""Limits on requests and tokens a minute."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from provider_router.domain.money.rate import Charge


class RateLimiter(Protocol):
    """Token buckets, shared by every replica."""

    async def acquire(self, charges: Sequence[Charge]) -> float:
        """Takes every charge, or none.

        Returns:
            0 when they were taken; else the seconds after which it makes sense to try again.

        Raises:
            UpstreamDown: The store that replicas share cannot be written.
        """
        ...

    async def give_back(self, charges: Sequence[Charge]) -> None:
        """Returns what was taken and not used, never above a bucket's size. A negative amount takes more.

        Never fails. This router's calls see it at once, those of others soon.
        """
        ...
