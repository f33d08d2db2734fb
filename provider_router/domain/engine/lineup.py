"""All services of a shortlist as they stand in one state, for one tier and one task class.

That is all that a request of such a class needs, but its quantities.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from datetime import date, datetime
from typing import TypeVar

from provider_router.domain.contracts.contract import PPM
from provider_router.domain.decisions.decision import Control, Promise, Ranked, Rejection
from provider_router.domain.decisions.route_request import RouteRequest
from provider_router.domain.decisions.service_state import SystemState
from provider_router.domain.engine.control import control_of, links_of, total_ms
from provider_router.domain.engine.limits import Limits
from provider_router.domain.engine.promise import Pledge, pledge_of
from provider_router.domain.engine.score import OUTAGE_STEP, UNBOUNDED, WEAK_STEP, Row, order_term, scored
from provider_router.domain.engine.shortlist import Shortlist
from provider_router.domain.engine.standing import UNKNOWN_AS_ZERO, Standing, standing_of
from provider_router.domain.rulebook.rules import Tier

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")
_KEPT = 256
"""Of each kind of thing that a lineup keeps for itself; when there are more it begins anew."""


class Lineup:
    """Decides requests of its class.

    Args:
        shortlist: Of the class.
        state: Of the system.
        tier: Of the class.
        request: Any of the class, for the estimate of its task.
        day: UTC; prices are those of this day.
        formula: To decide by.

    Attributes:
        state: As given.
    """

    __slots__ = (
        "_bounds",
        "_limits",
        "_merged",
        "_plans",
        "_rejections",
        "_rows",
        "_shortlist",
        "_standings",
        "_tier",
        "state",
    )

    def __init__(
        self, shortlist: Shortlist, state: SystemState, tier: Tier, request: RouteRequest, day: date, formula: int
    ) -> None:
        standings = {
            listed.contract.name: standing_of(listed, state.of(listed.contract.name), request.estimate, day, formula)
            for listed in shortlist.listed
        }
        rejected = [each.rejection for each in standings.values() if each.rejection is not None]
        prices = [each.price for each in standings.values() if each.price is not None]
        self.state = state
        self._shortlist = shortlist
        self._tier = tier
        self._standings: Mapping[str, Standing] = standings
        self._rejections = _in_order([*shortlist.mismatched, *rejected])
        self._limits = Limits(standings)
        # Between two neighbouring bounds, the length of a prompt changes no rate.
        self._bounds = sorted({price.long_context_tokens for price in prices if price.long_context_rates})
        self._rows: dict[int, list[Row]] = {}
        self._merged: dict[tuple[Rejection, ...], tuple[Rejection, ...]] = {}
        self._plans: dict[tuple[tuple[str, ...], int], tuple[Control, Pledge]] = {}

    def sifted(self, request: RouteRequest, now: datetime) -> tuple[tuple[Rejection, ...], list[Row]]:
        """Who is no candidate, by name, and the rows of who is.

        The same rejections are always the same object, so that who encodes them can keep what was encoded.
        """
        rows = self._rows_for(request.input_tokens)
        exceeded = self._limits.exceeded(request, now)
        if not exceeded:
            return self._rejections, rows
        names = {each.service for each in exceeded}
        merged = self._merged.get(exceeded)
        if merged is None:
            # Quantities belong to step 2: whatever else is wrong with the service comes later.
            others = [each for each in self._rejections if each.service not in names]
            merged = _kept(self._merged, exceeded, _in_order([*others, *exceeded]))
        return merged, [row for row in rows if row.name not in names]

    def ranked(self, rows: list[Row], request: RouteRequest) -> tuple[Ranked, ...]:
        """The candidates, best first."""
        return scored(rows, request, self._tier)

    def plan(self, ranked: tuple[Ranked, ...], request: RouteRequest) -> tuple[Promise, Control]:
        """What is promised, and what to do at run time; both empty without a candidate."""
        if not ranked:
            return Promise(), Control()
        names, total = links_of(ranked, request, self._tier), total_ms(request, self._tier)
        found = self._plans.get((names, total))
        if found is None:
            control = control_of([self._standings[name] for name in names], self._tier, total)
            found = _kept(self._plans, (names, total), (control, pledge_of(control, self._standings)))
        return found[1].promise(request), found[0]

    def _rows_for(self, input_tokens: int) -> list[Row]:
        """The rows of all who may be candidates, by name, at the rates of a prompt of so many tokens."""
        span = bisect_left(self._bounds, input_tokens) if self._bounds else 0
        rows = self._rows.get(span)
        if rows is None:
            candidates = [each for each in self._standings.values() if each.rejection is None]
            rows = [row_of(each, self._tier, self._shortlist.chain, input_tokens) for each in candidates]
            self._rows[span] = rows
        return rows


def row_of(standing: Standing, tier: Tier, chain: tuple[str, ...], input_tokens: int) -> Row:
    """The numbers of a candidate that are the same for all requests of the class with about as long a prompt."""
    contract, price, belief, weights = standing.contract, standing.price, standing.belief, tier.weights
    is_weak = belief.strength_ppm < tier.min_quality_ppm
    quality = weights.quality * belief.prior_ppm - (WEAK_STEP if is_weak else 0)
    reward = weights.reward * (belief.strength_ppm + belief.exploration_ppm)
    preference = weights.preference * standing.preference_ppm
    order = order_term(chain, contract.name)
    risk = -weights.risk * (PPM if belief.is_out else belief.risk_ppm) - (OUTAGE_STEP if belief.is_out else 0)
    rates = None if price is None else price.rates
    if price is not None and price.long_context_rates is not None and input_tokens > price.long_context_tokens:
        rates = price.long_context_rates
    return Row(
        name=contract.name,
        fixed=quality + reward + preference + order + risk,
        quality=quality,
        reward=reward,
        preference=preference,
        order=order,
        risk=risk,
        strength_ppm=belief.strength_ppm,
        input_rate=rates.input if rates else 0,
        output_rate=rates.output if rates else 0,
        fee=price.per_request if price else 0,
        assumed_cost=max(1, tier.cost_reference_micro_usd) if standing.price_is_unknown else 0,
        tells_cost=not standing.price_is_unknown or standing.formula == UNKNOWN_AS_ZERO,
        first_token_ms=belief.first_token_ms,
        tokens_per_second=belief.tokens_per_second,
        longest_answer=contract.capabilities.max_output_tokens or UNBOUNDED,
        context_length=contract.capabilities.context_length or UNBOUNDED,
    )


def _in_order(rejections: list[Rejection]) -> tuple[Rejection, ...]:
    return tuple(sorted(rejections, key=lambda each: each.service))


def _kept(kept: dict[_Key, _Value], key: _Key, value: _Value) -> _Value:
    if len(kept) >= _KEPT:
        kept.clear()
    kept[key] = value
    return value
