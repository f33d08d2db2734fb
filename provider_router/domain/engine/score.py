"""Step 6, score: the utility of a candidate. This is its definition; `docs/scoring.md` explains it.

score = sum of nine terms. A term is a value times the tier's weight. Values are integers in millionths (ppm), weights
integers in thousandths, so a score is in 10^-9. Divisions round down. Every value depends on the request and on the
candidate alone, never on which other candidates there are.

| term | value in ppm | range |
| --- | --- | --- |
| quality | the contract's quality for the task class (`beliefs.prior_ppm`) | 0 to 10^6 |
| reward | strength, learned from outcomes, + exploration (`beliefs`) | 0 to 1.05 * 10^6 |
| fit | 10^6 - 3 * shortfall, at least 0; times the share of the answer that has room | 0 to 10^6 |
| affinity | 10^6 for the service that answered this conversation last, else 0 | 0 or 10^6 |
| preference | the sum of the rules' preferences | -10^6 to 10^6 |
| order | see below | 0 to 64 * 10^12 |
| cost | - cost * 10^6 / (cost + the tier's cost reference) | -10^6 to 0 |
| latency | - time * 10^6 / (time + the tier's latency reference); - 10^6 beyond the deadline | -10^6 to 0 |
| risk | - risk (`beliefs.risk_ppm`) | -10^6 to 0 |

- shortfall is how much the task's complexity exceeds the service's strength: a hard task wants a strong service. An
  easy one is well served by many, and then cost and latency decide. More strength never lowers a score.
- room is the least of the service's longest answer and what the prompt leaves of its context length; where it is less
  than the answer that is expected, fit is multiplied by room / expected.
- cost is the expected cost of the answer in micro-USD at the price of the day, nothing of the prompt being cached. A
  service without a price is free on the operator's machines; elsewhere its price is unknown, and the cost reference is
  taken for its cost (in this term alone: its expected cost is recorded as none).
- time is expected first token + 1000 * expected output tokens / expected tokens per second, in milliseconds.
- cost / (cost + reference) is 0 for nothing, one half at the reference, and never reaches 1: it needs no maximum over
  the candidates, so that none can move another.

All weighted values together span less than 10^11 (weights are at most 10_000). Three steps stand above them:

- WEAK_STEP, 10^11, is subtracted from quality where the service's strength is below the tier's `min_quality_ppm`: weak
  services are passed over while there is a better candidate, and are there when there is none.
- ORDER_STEP, 10^12: the member at position i (from 0) of an operator's chain gets (64 - i) of it.
- OUTAGE_STEP, 10^15, is subtracted from risk where the service cannot be called now: breaker open, cooling or full. It
  is behind everything that can be called, and still a candidate, so that there is a route while it is all there is.

The higher score wins; equal ones are ordered by name. No score is beyond 1.1 * 10^15: exact in any reader of JSON.
"""

from __future__ import annotations

from operator import attrgetter
from typing import NamedTuple

from provider_router.domain.contracts.contract import PPM
from provider_router.domain.decisions.decision import Ranked
from provider_router.domain.decisions.route_request import RouteRequest
from provider_router.domain.rulebook.rules import Tier

WEAK_STEP = 10**11
ORDER_STEP = 10**12
ORDER_PLACES = 64
OUTAGE_STEP = 10**15
SHORTFALL_FACTOR = 3
UNBOUNDED = 1 << 60
TOKENS_PER_RATE = 1_000_000
_HALF = TOKENS_PER_RATE // 2
_SCORE = attrgetter("score")


class Row(NamedTuple):
    """What scoring needs to know of a candidate, as it is the same for every request of a class.

    Attributes:
        name: `provider/model`.
        fixed: The sum of the terms below.
        quality: Weighted.
        reward: Weighted.
        preference: Weighted.
        order: As above.
        risk: Weighted and negative.
        strength_ppm: Of the service.
        input_rate: Micro-USD per million tokens.
        output_rate: Micro-USD per million tokens.
        fee: Micro-USD per call.
        assumed_cost: Taken for the cost where the price is unknown; else 0.
        tells_cost: Whether its expected cost is recorded.
        first_token_ms: Expected.
        tokens_per_second: Expected, at least 1.
        longest_answer: Tokens.
        context_length: Tokens.
    """

    name: str
    fixed: int
    quality: int
    reward: int
    preference: int
    order: int
    risk: int
    strength_ppm: int
    input_rate: int
    output_rate: int
    fee: int
    assumed_cost: int
    tells_cost: bool
    first_token_ms: int
    tokens_per_second: int
    longest_answer: int
    context_length: int


def order_term(chain: tuple[str, ...], name: str) -> int:
    """The order term of the service `name`."""
    if name not in chain:
        return 0
    return max(0, ORDER_PLACES - chain.index(name)) * ORDER_STEP


def scored(rows: list[Row], request: RouteRequest, tier: Tier) -> tuple[Ranked, ...]:
    """The candidates, best first. `rows` are in the order of their names."""
    weights, need, affinity = tier.weights, request.estimate.complexity_ppm, request.affinity
    tokens_in, tokens_out = request.input_tokens, request.output_tokens
    generation = 1000 * tokens_out
    deadline = UNBOUNDED if request.deadline_ms is None else request.deadline_ms
    cost_half, time_half = max(1, tier.cost_reference_micro_usd), max(1, tier.latency_reference_ms)
    fit_weight, cost_weight, time_weight = weights.fit, weights.cost, weights.latency
    close = weights.affinity * PPM
    ranked: list[Ranked] = []
    # One pass without calls: this is where a decision spends its time.
    for (
        name, fixed, quality, reward, preference, order, risk, strength,
        rate_in, rate_out, fee, assumed, tells, first, speed, longest, context,
    ) in rows:  # fmt: skip
        cost = (tokens_in * rate_in + tokens_out * rate_out + _HALF) // TOKENS_PER_RATE + fee
        time = first + generation // speed
        fit = PPM if strength >= need else max(0, PPM - SHORTFALL_FACTOR * (need - strength))
        if tokens_out > longest or tokens_in + tokens_out > context:
            fit = fit * max(0, min(longest, context - tokens_in)) // tokens_out
        counted = cost + assumed
        fit *= fit_weight
        near = close if name == affinity else 0
        dear = -cost_weight * (counted * PPM // (counted + cost_half))
        slow = -time_weight * (PPM if time > deadline else time * PPM // (time + time_half))
        ranked.append(
            Ranked(
                name,
                fixed + fit + near + dear + slow,
                (quality, reward, fit, near, preference, order, dear, slow, risk),
                cost if tells else None,
                first,
                time,
            )
        )
    # Sorting is stable, also in reverse: equal scores stay in the order of their names.
    ranked.sort(key=_SCORE, reverse=True)
    return tuple(ranked)
