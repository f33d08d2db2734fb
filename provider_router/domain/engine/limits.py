"""Step 2, match: whether a service has room, time and money for how much is asked.

Most requests are far from every limit. `Limits` knows the nearest of each, so that such a request is not compared with
every service.
"""

from __future__ import annotations

from datetime import datetime

from provider_router.domain.calls.usage import TokenUsage
from provider_router.domain.contracts.contract import Price, Rates, TimeWindow
from provider_router.domain.decisions.decision import Rejected, Rejection, Step
from provider_router.domain.decisions.route_request import RouteRequest
from provider_router.domain.engine.score import TOKENS_PER_RATE, UNBOUNDED
from provider_router.domain.engine.standing import UNKNOWN_AS_ZERO, Standing
from provider_router.domain.money.output_bound import ASSUMED_OUTPUT_TOKENS, reserved_output_tokens
from provider_router.domain.money.pricing import cost_micro_usd

_MINUTES_PER_HOUR = 60


class Limits:
    """The limits of the services that match in kind.

    Args:
        standings: Of these services, by name.
    """

    def __init__(self, standings: dict[str, Standing]) -> None:
        self._standings = standings
        contracts = [each.contract for each in standings.values()]
        self._context = min((c.capabilities.context_length or UNBOUNDED for c in contracts), default=UNBOUNDED)
        self._payload = min((c.constraints.max_payload_bytes or UNBOUNDED for c in contracts), default=UNBOUNDED)
        self._has_windows = any(c.constraints.windows for c in contracts)
        self._first_token_ms = max((_known_first_token_ms(each) for each in standings.values()), default=0)
        self._dearest = _dearest([each.price for each in standings.values() if each.price])
        self._has_unknown_price = any(each.price_is_unknown for each in standings.values())
        self._longest = max((_longest_answer(each) for each in standings.values()), default=0)

    def exceeded(self, request: RouteRequest, now: datetime) -> tuple[Rejection, ...]:
        """The services that `request` is too much for, by name."""
        if self._is_far(request):
            return ()
        found = [_exceeded(each, request, now) for each in self._standings.values()]
        return tuple(each for each in found if each is not None)

    def _is_far(self, request: RouteRequest) -> bool:
        """Whether no limit of any service can be near."""
        return (
            request.input_tokens < self._context
            and request.payload_bytes <= self._payload
            and not self._has_windows
            and (request.deadline_ms is None or request.deadline_ms >= self._first_token_ms)
            and self._is_affordable(request)
        )

    def _is_affordable(self, request: RouteRequest) -> bool:
        limit, left = request.max_cost_micro_usd, request.budget_left_micro_usd
        if limit is None and left is None:
            return True
        if self._has_unknown_price:
            return False
        least = min(UNBOUNDED if limit is None else limit, UNBOUNDED if left is None else left)
        tokens_out = max(request.output_tokens, request.max_output_tokens, self._longest)
        tokens = request.input_tokens * self._dearest[0] + tokens_out * self._dearest[1]
        return tokens // TOKENS_PER_RATE + 1 + self._dearest[2] <= least


def expected_cost_micro_usd(price: Price | None, request: RouteRequest) -> int:
    """What the answer is expected to cost; 0 without a price."""
    usage = TokenUsage(request.input_tokens, request.output_tokens)
    return cost_micro_usd(price, usage)


def reserved_cost_micro_usd(standing: Standing, request: RouteRequest) -> int:
    """What would be reserved for one attempt; 0 without a price."""
    can = standing.contract.capabilities
    tokens_out = reserved_output_tokens(can, request.input_tokens, request.max_output_tokens)
    return standing.most_micro_usd(request.input_tokens, tokens_out)


def is_open(windows: tuple[TimeWindow, ...], now: datetime) -> bool:
    """Whether `now` (UTC) is in one of the windows, or there is none. No window crosses midnight."""
    minute, weekday = now.hour * _MINUTES_PER_HOUR + now.minute, now.weekday()
    return not windows or any(
        weekday in window.weekdays and window.start_minute <= minute < window.end_minute for window in windows
    )


def _exceeded(standing: Standing, request: RouteRequest, now: datetime) -> Rejection | None:
    found = _too_large(standing, request) or _too_late(standing, request, now) or _too_dear(standing, request)
    return None if found is None else Rejection(standing.contract.name, Step.MATCH, *found)


def _too_large(standing: Standing, request: RouteRequest) -> tuple[Rejected, str] | None:
    context_length = standing.contract.capabilities.context_length
    if context_length and request.input_tokens >= context_length:
        return Rejected.CONTEXT_LENGTH, f"its context has {context_length} tokens"
    most_bytes = standing.contract.constraints.max_payload_bytes
    if most_bytes and request.payload_bytes > most_bytes:
        return Rejected.PAYLOAD_SIZE, f"takes {most_bytes} bytes"
    return None


def _too_late(standing: Standing, request: RouteRequest, now: datetime) -> tuple[Rejected, str] | None:
    if not is_open(standing.contract.constraints.windows, now):
        return Rejected.TIME_WINDOW, "not used at this time"
    first_token_ms = _known_first_token_ms(standing)
    if request.deadline_ms is not None and request.deadline_ms < first_token_ms:
        return Rejected.DEADLINE, f"is expected to begin after {first_token_ms} ms"
    return None


def _too_dear(standing: Standing, request: RouteRequest) -> tuple[Rejected, str] | None:
    limit, left = request.max_cost_micro_usd, request.budget_left_micro_usd
    if standing.price_is_unknown:
        return _unpriced(standing.formula, limit, left)
    if limit is not None and expected_cost_micro_usd(standing.price, request) > limit:
        return Rejected.COST_LIMIT, "is expected to cost more"
    if left is not None and reserved_cost_micro_usd(standing, request) > left:
        return Rejected.BUDGET_LEFT, "may cost more"
    return None


def _unpriced(formula: int, limit: int | None, left: int | None) -> tuple[Rejected, str] | None:
    """Why what costs nobody knows how much cannot be called: nothing holds it within a limit of money."""
    if formula == UNKNOWN_AS_ZERO:
        if limit is not None:
            return Rejected.COST_LIMIT, "its price is not known"
        return (Rejected.BUDGET_LEFT, "its price is not known") if left is not None and left <= 0 else None
    if limit is None and left is None:
        return None
    which = "budget" if limit is None else "cost limit"
    return Rejected.PRICE_UNKNOWN, f"its contract has no price, and a {which} applies"


def _known_first_token_ms(standing: Standing) -> int:
    """When the first token is expected; 0 where nobody knows: an assumption takes no service away."""
    return standing.belief.first_token_ms if standing.belief.first_token_is_known else 0


def _longest_answer(standing: Standing) -> int:
    can = standing.contract.capabilities
    return can.max_output_tokens or can.context_length or ASSUMED_OUTPUT_TOKENS


def _dearest(prices: list[Price]) -> tuple[int, int, int]:
    """The highest rates of all, for prompt and answer, and the highest fee."""
    rates = [each.rates for each in prices] + [each.long_context_rates for each in prices if each.long_context_rates]
    return (
        max((_dearest_input(each) for each in rates), default=0),
        max((each.output for each in rates), default=0),
        max((each.per_request for each in prices), default=0),
    )


def _dearest_input(rates: Rates) -> int:
    return max(rates.input, rates.cached_input or 0, rates.cache_write or 0)
