"""Settles what dead routers left open."""

from __future__ import annotations

import asyncio

from provider_router.ports.ledger import Ledger


class RecoverAttempts:
    """Looks for such attempts when the router starts, and again and again after that.

    Args:
        ledger: Where they are.
        every_s: Seconds between two looks.
    """

    def __init__(self, ledger: Ledger, every_s: float = 15.0) -> None:
        self._ledger = ledger
        self._every_s = every_s

    async def __call__(self) -> int:
        """Settles them once; returns how many there were.

        Raises:
            UpstreamDown: The ledger cannot be written.
        """
        return await self._ledger.recover()

    async def watch(self) -> None:
        """Settles them again and again, until cancelled. Raises as a call does; may be begun again."""
        while True:
            await asyncio.sleep(self._every_s)
            await self()
