"""How many more calls than requests the router may make: a token bucket for each organisation.

When a provider is down, every request fails and every request would be tried again, which doubles the load on whatever
is left. So retries and hedges are paid from a bucket into which each request puts a share of a call. A floor lets an
organisation that sends few requests retry too. The shares of all organisations add up to the share of all requests, and
none of them can use up another one's.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from provider_router.domain.contracts.contract import PPM


class RetryBudget:
    """Counts in millionths of a call. Times are seconds of one monotonic clock.

    Args:
        share_ppm: Of a call, that each request adds: 200,000 allows one retry for five requests.
        floor_per_minute: Calls that are added whatever the number of requests.
        most: Calls that the bucket holds, and begins with.
    """

    def __init__(self, share_ppm: int = 200_000, floor_per_minute: int = 60, most: int = 20) -> None:
        self._share_ppm = share_ppm
        self._floor_ppm_per_s = floor_per_minute * PPM / 60
        self._most_ppm = most * PPM
        self._left_ppm = float(self._most_ppm)
        self._last_s: float | None = None

    def request(self) -> None:
        """Notes that a request came."""
        self._left_ppm = min(self._left_ppm + self._share_ppm, self._most_ppm)

    def take(self, now_s: float) -> bool:
        """Takes one call out of the bucket; returns False, and takes nothing, when there is none."""
        if self._last_s is not None:
            gained_ppm = max(0.0, now_s - self._last_s) * self._floor_ppm_per_s
            self._left_ppm = min(self._left_ppm + gained_ppm, self._most_ppm)
        self._last_s = now_s
        if self._left_ppm < PPM:
            return False
        self._left_ppm -= PPM
        return True


class RetryBudgets:
    """The budgets of organisations.

    Of too many, the one that was not used for the longest time is forgotten: it is full by now, or nearly.

    Args:
        new_budget: Makes the budget of an organisation.
        most: Organisations to remember, at least 1.
    """

    def __init__(self, new_budget: Callable[[], RetryBudget] = RetryBudget, most: int = 10_000) -> None:
        self._new_budget = new_budget
        self._most = most
        self._budgets: OrderedDict[str, RetryBudget] = OrderedDict()

    def of(self, org_id: str) -> RetryBudget:
        """The budget of `org_id`."""
        found = self._budgets.get(org_id)
        if found is None:
            found = self._budgets[org_id] = self._new_budget()
            if len(self._budgets) > self._most:
                self._budgets.popitem(last=False)
        self._budgets.move_to_end(org_id)
        return found
