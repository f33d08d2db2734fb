"""Waits before a service is tried again, and says when that is not worth its while."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from provider_router.domain.decisions.decision import Control
from provider_router.domain.errors import Reason
from provider_router.domain.traffic.chain_walk import Stop
from provider_router.domain.traffic.retry import PASSES_SOON, Move, backoff_s, longest_wait_s, move_after
from provider_router.domain.traffic.retry_budget import RetryBudgets
from shared.clock import Clock
from shared.errors import NexusError
from shared.value import value

_WAITS = 3
"""Pauses for a service that cannot be called now, one after the other."""


@value
class Pace:
    """What bounds the pauses of one call: whose it is, its control, the time left, and whether another service is."""

    org_id: str
    control: Control
    left_s: float
    another: bool


class PaceRetries:
    """Paces the retries of all calls of this process.

    Args:
        budgets: How many there may be, by organisation.
        clock: Tells the time to it.
        sleep: Waits for so many seconds.
        random: A number from 0 to 1.
    """

    def __init__(
        self,
        budgets: RetryBudgets,
        clock: Clock,
        sleep: Callable[[float], Awaitable[None]],
        random: Callable[[], float],
    ) -> None:
        self._budgets = budgets
        self._clock = clock
        self._sleep = sleep
        self._random = random

    def request(self, org_id: str) -> None:
        """Notes that a call of `org_id` came."""
        self._budgets.of(org_id).request()

    def may_add_a_call(self, org_id: str) -> bool:
        """Whether the budget of `org_id` allows one more call; takes it."""
        return self._budgets.of(org_id).take(self._clock.monotonic())

    async def waited_until_callable(self, stop: Stop, error: NexusError, pace: Pace) -> bool:
        """Whether it was worth its while to wait for a service that could not be called, and was done."""
        wait_s = error.retry_after_s
        if wait_s is None or error.reason not in PASSES_SOON or stop.waits >= _WAITS:
            return False
        if wait_s > longest_wait_s(pace.control, pace.left_s, another=pace.another):
            return False
        stop.waits += 1
        await self._sleep(wait_s)
        return True

    async def paused(self, stop: Stop, error: NexusError, pace: Pace) -> bool:
        """Whether a service that failed may be tried again; the pause before that is over then."""
        pause_s = self._pause_s(stop, error, pace)
        if pause_s is None or not self.may_add_a_call(pace.org_id):
            return False
        if pause_s > 0:
            await self._sleep(pause_s)
        return True

    def _pause_s(self, stop: Stop, error: NexusError, pace: Pace) -> float | None:
        elsewhere = any(target not in stop.tried for target in stop.service.provider.targets())
        if move_after(error.reason) is Move.ELSEWHERE:
            return 0.0 if elsewhere else None
        if error.reason == Reason.PROVIDER_RATE_LIMITED and (elsewhere or error.retry_after_s is None):
            # Another key may do at once; and how long this one rests is for the deployments to say.
            return 0.0
        jittered_s = backoff_s(pace.control, stop.failures, self._random())
        pause_s = max(error.retry_after_s or 0.0, jittered_s)
        return pause_s if pause_s <= longest_wait_s(pace.control, pace.left_s, another=pace.another) else None
