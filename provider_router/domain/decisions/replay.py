"""What a policy would have cost and been worth: sums over replayed requests, and the curve of cost against quality."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class ImportedResult:
    """What one model did with a query.

    Attributes:
        model: `provider/model`.
        quality_ppm: How good its answer was, 0 to 1_000_000.
        input_tokens: Of the prompt.
        output_tokens: Of the answer.
        cost_micro_usd: What it cost; None to count by the contract's price.
    """

    model: str
    quality_ppm: int
    input_tokens: int = 0
    output_tokens: int = 0
    cost_micro_usd: int | None = None


@dataclass(frozen=True, slots=True)
class ImportedQuery:
    """A query that several models have answered, at least one. Its text is for the estimator and is kept nowhere."""

    text: str
    results: tuple[ImportedResult, ...]


@dataclass(frozen=True, slots=True)
class Pick:
    """What a policy does with one request.

    Attributes:
        service: `provider/model`; empty when it finds none.
        cost_micro_usd: Of the answer, expected or actual; None when its price is unknown.
        quality_ppm: Of the answer, where it is known.
    """

    service: str = ""
    cost_micro_usd: int | None = 0
    quality_ppm: int | None = None


@dataclass(frozen=True, slots=True)
class PolicySummary:
    """One policy over all requests.

    Attributes:
        name: Of the policy.
        routed: Requests that it found a service for.
        unrouted: Requests that it found none for.
        cost_micro_usd: In all, without the `unpriced`.
        unpriced: Requests whose cost is unknown.
        judged: Requests whose quality is known.
        quality_ppm: Mean over those; None without one.
        shares: Requests by service, most first.
    """

    name: str
    routed: int
    unrouted: int
    cost_micro_usd: int
    unpriced: int
    judged: int
    quality_ppm: int | None
    shares: tuple[tuple[str, int], ...]


@dataclass(slots=True)
class Tally:
    """Adds up what one policy does."""

    name: str
    _unrouted: int = 0
    _cost: int = 0
    _unpriced: int = 0
    _judged: int = 0
    _quality: int = 0
    _shares: Counter[str] = field(default_factory=Counter[str])

    def add(self, pick: Pick) -> None:
        """Takes the next request's pick."""
        if not pick.service:
            self._unrouted += 1
            return
        self._shares[pick.service] += 1
        self._cost += pick.cost_micro_usd or 0
        self._unpriced += pick.cost_micro_usd is None
        if pick.quality_ppm is not None:
            self._judged += 1
            self._quality += pick.quality_ppm

    def summary(self) -> PolicySummary:
        """The sums so far."""
        return PolicySummary(
            name=self.name,
            routed=self._shares.total(),
            unrouted=self._unrouted,
            cost_micro_usd=self._cost,
            unpriced=self._unpriced,
            judged=self._judged,
            quality_ppm=_halves_up(self._quality, self._judged) if self._judged else None,
            shares=tuple(sorted(self._shares.items(), key=lambda share: (-share[1], share[0]))),
        )


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """What one weight of cost gives: the total cost, and the mean quality over the judged requests."""

    cost_weight: int
    cost_micro_usd: int
    quality_ppm: int


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """What a replay found.

    Attributes:
        policies: The policies compared.
        curve: By cost, cheapest first; empty for none.
        area_ppm: Under the curve; None without one.
        changed: Requests for which the last policy chooses otherwise than the first.
        skipped: Recorded decisions that could not be read again.
        damaged: Recorded decisions that somebody changed; they count nowhere.
    """

    policies: tuple[PolicySummary, ...]
    curve: tuple[CurvePoint, ...]
    area_ppm: int | None
    changed: int
    skipped: int
    damaged: int = 0


def area_ppm(curve: Sequence[CurvePoint]) -> int | None:
    """The area under the curve by the trapezoid rule, divided by its span of cost: the mean quality over that span.

    Points of one cost count as the best of them. A curve whose points all cost the same has no span: its best quality
    is returned. None without points.
    """
    best: dict[int, int] = {}
    for point in curve:
        best[point.cost_micro_usd] = max(point.quality_ppm, best.get(point.cost_micro_usd, 0))
    points = sorted(best.items())
    if not points:
        return None
    span = points[-1][0] - points[0][0]
    if span == 0:
        return points[0][1]
    doubled = sum(
        (cost - cost_before) * (quality + quality_before)
        for (cost_before, quality_before), (cost, quality) in pairwise(points)
    )
    return _halves_up(doubled, 2 * span)


def _halves_up(total: int, count: int) -> int:
    """`total / count` for positive counts, rounded half up."""
    return (2 * total + count) // (2 * count)
