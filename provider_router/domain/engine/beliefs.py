"""What is believed of a service: contracts say what is promised, the state says what was measured.

Both are combined as a mean in which the promise counts as a number of calls that were never made: few measurements
change little, many outweigh it. All numbers are integers; divisions round down.

- expected time, speed: (promise * 20 + measured * calls) / (20 + calls); where nothing is promised an assumption takes
  the place of the promise and counts as 2 calls; where nothing was measured, the promise or assumption alone.
- success: the same with the promised availability and the measured share of successes.
- strength: (20 * prior + sum of outcomes) / (20 + number of outcomes), the mean of a Beta posterior whose prior is the
  contract's quality for the task class, worth 20 outcomes. As sure as the estimator is of the task class, so far does
  the prior go from the contract's default to its value for that class (in tenths of certainty).
- exploration: 50_000 * sqrt(20 / (20 + number of outcomes)): the share of a belief that still rests on its prior, as a
  standard deviation shrinks. It lifts what was tried little, without dice, so that decisions replay.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt

from provider_router.domain.contracts.contract import PPM, Contract
from provider_router.domain.decisions.service_state import Reward, ServiceState
from shared.circuit_breaker import Breaker

PRIOR_CALLS = 20
PRIOR_OUTCOMES = 20
ASSUMED_CALLS = 2
ASSUMED_FIRST_TOKEN_MS = 2_000
ASSUMED_TOKENS_PER_SECOND = 30
ASSUMED_AVAILABILITY_PPM = 990_000
P95_OVER_P50 = 3
"""How far the 95th percentile is assumed from the median where nothing is promised of it."""
EXPLORATION_PPM = 50_000
CONFIDENCE_STEP_PPM = PPM // 10

FAILURE_FACTOR = 4
BROKEN_PROMISE_PPM = 100_000
TRIAL_PPM = 250_000
LOAD_DIVISOR = 4
_NO_REWARD = Reward()


@dataclass(frozen=True, slots=True)
class Belief:
    """What is expected of a service for one task class.

    Attributes:
        prior_ppm: Quality by the contract.
        strength_ppm: Quality by contract and outcomes.
        exploration_ppm: What little knowledge of it adds.
        first_token_ms: Median time to the first piece.
        first_token_is_known: Whether that rests on a promise or a measurement, and is not just assumed.
        first_token_p95_ms: 95th percentile of it.
        tokens_per_second: At least 1.
        risk_ppm: That it fails or disappoints.
        is_out: Whether it cannot be called now: its breaker is open, it is cooling, or it is full.
    """

    prior_ppm: int
    strength_ppm: int
    exploration_ppm: int
    first_token_ms: int
    first_token_is_known: bool
    first_token_p95_ms: int
    tokens_per_second: int
    risk_ppm: int
    is_out: bool


def belief_of(contract: Contract, state: ServiceState, task_class: str, confidence_tenths: int) -> Belief:
    """The belief of a service for `task_class`, of which the estimator is `confidence_tenths` tenths sure."""
    promised, measured = contract.guarantees, state.measured
    prior = prior_ppm(contract, task_class, confidence_tenths)
    reward = state.rewards.get(task_class, _NO_REWARD)
    first = _expected(promised.first_token_p50_ms, ASSUMED_FIRST_TOKEN_MS, measured.first_token_p50_ms, measured.calls)
    p95 = _expected(promised.first_token_p95_ms, P95_OVER_P50 * first, measured.first_token_p95_ms, measured.calls)
    speed = _expected(promised.tokens_per_second, ASSUMED_TOKENS_PER_SECOND, measured.tokens_per_second, measured.calls)
    return Belief(
        prior_ppm=prior,
        strength_ppm=(PRIOR_OUTCOMES * prior + reward.total_ppm) // (PRIOR_OUTCOMES + reward.count),
        exploration_ppm=isqrt(EXPLORATION_PPM**2 * PRIOR_OUTCOMES // (PRIOR_OUTCOMES + reward.count)),
        first_token_ms=first,
        first_token_is_known=bool(promised.first_token_p50_ms or measured.first_token_p50_ms),
        first_token_p95_ms=max(first, p95),
        tokens_per_second=max(1, speed),
        risk_ppm=risk_ppm(contract, state),
        is_out=state.breaker is Breaker.OPEN or state.cooling or state.load_ppm >= PPM,
    )


def prior_ppm(contract: Contract, task_class: str, confidence_tenths: int) -> int:
    """The contract's quality for a task class of which one is so sure."""
    default, of_task = contract.quality.default, contract.quality.of(task_class)
    return default + (of_task - default) * confidence_tenths // 10


def risk_ppm(contract: Contract, state: ServiceState) -> int:
    """How likely a service is to fail or to disappoint: 0 to 1_000_000.

    Four times the expected share of failures (one call in four is as bad as it gets), a tenth for each broken promise,
    a quarter while its breaker is half open, a quarter of its load.
    """
    promised, measured = contract.guarantees.availability_ppm, state.measured
    prior, weight = (promised, PRIOR_CALLS) if promised else (ASSUMED_AVAILABILITY_PPM, ASSUMED_CALLS)
    success = (prior * weight + measured.success_ppm * measured.calls) // (weight + measured.calls)
    total = (
        FAILURE_FACTOR * (PPM - success)
        + BROKEN_PROMISE_PPM * len(state.broken_promises)
        + (TRIAL_PPM if state.breaker is Breaker.HALF_OPEN else 0)
        + state.load_ppm // LOAD_DIVISOR
    )
    return min(PPM, total)


def _expected(promised: int, assumed: int, measured: int, calls: int) -> int:
    """Promise and measurement together; 0 stands for none of either."""
    prior, weight = (promised, PRIOR_CALLS) if promised else (assumed, ASSUMED_CALLS)
    if not measured:
        return prior
    return (prior * weight + measured * calls) // (weight + calls)
