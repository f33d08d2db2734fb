"""Step 8, control: what to do at run time.

- chain: the best candidates, at most the tier's `max_links`; of an operator's chain, all of them.
- tries: the tier's for each link, one for a link that cannot be called now.
- total time: the tier's, or what is left to the deadline when that is less, rounded down to five significant bits:
  the 3 % at most leave time to report a failure, and calls with nearly the same deadline get the same signal.
- first token: for each try the greater of an equal share of the total time and twice the 95th percentile that is
  expected of the service; at most the tier's limit and the total time. A short deadline so leaves time for every link,
  but gives none less than it is likely to need.
- hedging: where the tier wants it and there is a second link, after the 95th percentile that is expected of the first;
  never when its time would be over by then.
- pauses: full jitter below 200 ms * 2^n, at most 5 s and a quarter of the total time.
- it stops when an answer has begun, when the request itself is at fault, when every try is used up, when the attempts
  are `max_attempts`, or when the total time is over.
"""

from __future__ import annotations

from collections.abc import Sequence

from provider_router.domain.decisions.decision import Control, Link, Ranked
from provider_router.domain.decisions.route_request import RouteRequest
from provider_router.domain.engine.standing import Standing
from provider_router.domain.rulebook.rules import Tier

BACKOFF_BASE_MS = 200
BACKOFF_CAP_MS = 5_000
BACKOFF_DIVISOR = 4
PATIENCE = 2
SIGNIFICANT_BITS = 5


def links_of(ranked: Sequence[Ranked], request: RouteRequest, tier: Tier) -> tuple[str, ...]:
    """The services of the fallback chain, in the order in which they are tried."""
    most = len(request.chain) or max(1, tier.max_links)
    return tuple(each.service for each in ranked[:most])


def total_ms(request: RouteRequest, tier: Tier) -> int:
    """The time for the whole call."""
    left = request.deadline_ms
    if left is None or left >= tier.total_timeout_ms:
        return max(1, tier.total_timeout_ms)
    shift = max(0, left.bit_length() - SIGNIFICANT_BITS)
    return max(1, left >> shift << shift)


def control_of(chain: Sequence[Standing], tier: Tier, total: int) -> Control:
    """The control signal for a chain of at least one service, with `total` milliseconds for all of it."""
    share = total // len(chain)
    links = tuple(_link(standing, tier, share, total) for standing in chain)
    hedge_after = chain[0].belief.first_token_p95_ms
    may_hedge = tier.hedge and len(links) > 1 and hedge_after < links[0].first_token_timeout_ms
    return Control(
        chain=links,
        max_attempts=sum(link.tries for link in links),
        total_timeout_ms=total,
        idle_timeout_ms=min(tier.idle_timeout_ms, total),
        hedge_after_ms=max(1, hedge_after) if may_hedge else 0,
        backoff_base_ms=BACKOFF_BASE_MS,
        backoff_cap_ms=min(BACKOFF_CAP_MS, max(1, total // BACKOFF_DIVISOR)),
    )


def _link(standing: Standing, tier: Tier, share: int, total: int) -> Link:
    belief = standing.belief
    patience = max(share, PATIENCE * belief.first_token_p95_ms)
    return Link(
        service=standing.contract.name,
        tries=1 if belief.is_out else max(1, tier.tries),
        first_token_timeout_ms=max(1, min(tier.first_token_timeout_ms, total, patience)),
    )
