"""Admit a run: so many at a time and so many that wait, shared fairly by organisations; the rest is sent away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from sandbox_service.domain.places import FairPlaces, PlaceRules, Ticket, Turn


class AdmitRun:
    """Hands out the places of one kind of thing; see FairPlaces.

    Args:
        rules: how many may hold and wait.
    """

    def __init__(self, rules: PlaceRules) -> None:
        self._places = FairPlaces(rules)
        self._waiting: dict[Ticket, asyncio.Future[None]] = {}

    async def __call__(self, org_id: str) -> Callable[[], None]:
        """Wait for a place of `org_id` and return what gives it back, which may be called more than once.

        Who is cancelled while waiting has no turn any more.

        Raises:
            QuotaExceeded: SANDBOX_BUSY, when there is no place and as many callers wait as may.
        """
        ticket = self._places.enter(org_id)
        if ticket.turn is Turn.WAITS:
            turn = self._waiting[ticket] = asyncio.get_running_loop().create_future()
            try:
                await turn
            except asyncio.CancelledError:
                self._give_back(ticket)
                raise
            finally:
                del self._waiting[ticket]
        return lambda: self._give_back(ticket)

    def _give_back(self, ticket: Ticket) -> None:
        for served in self._places.leave(ticket):
            turn = self._waiting[served]
            if not turn.done():
                turn.set_result(None)
