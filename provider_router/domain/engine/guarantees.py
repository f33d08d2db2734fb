"""Step 7, guarantees: a small algebra of what can be promised along a path. It promises less rather than too much.

`series(a, b)`: first a, then b, both must succeed. `fallback(a, b)`: a, and b if a fails. `standby(a, b)`: the same,
where both may fail for one reason, as a second try with the same provider does.

| part | series | fallback | standby |
| --- | --- | --- | --- |
| availability (at least) | a * b | 1 - (1 - a)(1 - b) | the greater |
| time to the first piece (at most, of those that answer) | a + b | the worse of a and (giving up a) + b | as fallback |
| certainty of that time | a + b - 1, at least 0 | the less | the less |
| time until it is given up (at most) | a + b | a + b | a + b |
| cost (at most) | a + b | a + b | a + b |
| clearance | the less | the less | the less |
| regions, retention, training | all, longest, either | the same | the same |
| on premises, deterministic | both | both, deterministic only as one path | the same |

The sum of two 95th percentiles bounds nothing at 95 %: P(A > a or B > b) <= P(A > a) + P(B > b) (Boole's inequality),
hence the certainty of a series. Availability takes failures of different providers for independent; that is the one
thing in here that no contract says.

Laws, held by property tests: all three are associative; fallback and standby have the identity `NOTHING`, series has
`NOTHING_TO_DO`; all are monotone (better parts never make a worse whole); availability 0 is absorbing in series; what
is unknown is absorbing everywhere except in availability, where nothing known means nothing promised; standby is
idempotent in availability, privacy and determinism.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from provider_router.domain.contracts.contract import DataClass

NEVER = -1
"""The time to the first piece of what never answers: it is worse than nothing, so it makes nothing worse."""
CERTAIN = Fraction(1)


@dataclass(frozen=True, slots=True)
class Guarantee:
    """What is guaranteed of one path; exact, so that the laws hold to the last digit.

    Attributes:
        availability: Probability that it answers, at least; 0 where nothing is promised.
        first_token_ms: Of those that answer, a share of `certainty` begins within this time; None when unknown.
        certainty: See `first_token_ms`.
        give_up_ms: After this time it has answered or failed.
        cost_micro_usd: At most; None when unknown.
        clearance: The most sensitive data that it may see.
        regions: Where data may be processed; None when unknown.
        retention_days: How long data may be kept; None when unknown.
        may_train: Whether data may be used for training.
        on_premises: Whether data stays on the operator's machines.
        repeats: Whether each part gives the same answer to the same request.
        paths: The ways that an answer may take, as names of services; with more than one, answers may differ.
    """

    availability: Fraction
    first_token_ms: int | None
    certainty: Fraction
    give_up_ms: int
    cost_micro_usd: int | None
    clearance: DataClass
    regions: frozenset[str] | None
    retention_days: int | None
    may_train: bool
    on_premises: bool
    repeats: bool
    paths: frozenset[tuple[str, ...]]

    @property
    def deterministic(self) -> bool:
        """Whether the same request always gives the same answer."""
        return self.repeats and len(self.paths) <= 1


def _neutral(availability: int, first_token_ms: int, paths: frozenset[tuple[str, ...]]) -> Guarantee:
    return Guarantee(
        availability=Fraction(availability),
        first_token_ms=first_token_ms,
        certainty=CERTAIN,
        give_up_ms=0,
        cost_micro_usd=0,
        clearance=DataClass.RESTRICTED,
        regions=frozenset(),
        retention_days=0,
        may_train=False,
        on_premises=True,
        repeats=True,
        paths=paths,
    )


NOTHING = _neutral(0, NEVER, frozenset())
"""Fails at once and for nothing: the identity of fallback and standby."""
NOTHING_TO_DO = _neutral(1, 0, frozenset({()}))
"""Succeeds at once and for nothing: the identity of series."""


def series(first: Guarantee, then: Guarantee) -> Guarantee:
    """What is guaranteed when both have to succeed, one after the other."""
    return _joined(
        first,
        then,
        availability=first.availability * then.availability,
        first_token_ms=_after(first.first_token_ms, then.first_token_ms),
        certainty=max(Fraction(0), first.certainty + then.certainty - 1),
        paths=frozenset(a + b for a in first.paths for b in then.paths),
    )


def fallback(first: Guarantee, then: Guarantee) -> Guarantee:
    """What is guaranteed when `then` is tried if `first` failed, and they fail independently."""
    return _either(first, then, 1 - (1 - first.availability) * (1 - then.availability))


def standby(first: Guarantee, then: Guarantee) -> Guarantee:
    """What is guaranteed when `then` is tried if `first` failed, and both may fail for the same reason."""
    return _either(first, then, max(first.availability, then.availability))


def _either(first: Guarantee, then: Guarantee, availability: Fraction) -> Guarantee:
    return _joined(
        first,
        then,
        availability=availability,
        first_token_ms=_worse(first.first_token_ms, _after(first.give_up_ms, then.first_token_ms)),
        certainty=min(first.certainty, then.certainty),
        paths=first.paths | then.paths,
    )


def _joined(
    first: Guarantee,
    then: Guarantee,
    *,
    availability: Fraction,
    first_token_ms: int | None,
    certainty: Fraction,
    paths: frozenset[tuple[str, ...]],
) -> Guarantee:
    """The parts that all three compose in the same way, with those that they do not."""
    return Guarantee(
        availability=availability,
        first_token_ms=first_token_ms,
        certainty=certainty,
        give_up_ms=first.give_up_ms + then.give_up_ms,
        cost_micro_usd=_sum(first.cost_micro_usd, then.cost_micro_usd),
        clearance=min(first.clearance, then.clearance),
        regions=None if first.regions is None or then.regions is None else first.regions | then.regions,
        retention_days=_worse(first.retention_days, then.retention_days),
        may_train=first.may_train or then.may_train,
        on_premises=first.on_premises and then.on_premises,
        repeats=first.repeats and then.repeats,
        paths=paths,
    )


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other


def _worse(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else max(one, other)


def _after(before_ms: int | None, then_ms: int | None) -> int | None:
    return NEVER if NEVER in (before_ms, then_ms) else _sum(before_ms, then_ms)
