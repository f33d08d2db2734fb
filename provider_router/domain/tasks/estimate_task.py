"""Estimates the task class and the complexity of a request from its features; `docs/estimator.md` explains it.

Everything is an integer. Evidence is in thousandths of a point:

    E(c) = 1000 * (points of words + points of structure) + LIKENESS * max(0, s(c) - mean of s) / PPM

where s(c) says how much the text's vector is like those of the sentences that stand for class c: the score of a linear
classifier, in millionths, about 0 for no likeness and about PPM for a sentence like them; without a vector there is no
such term. The class is the one with the most evidence (the first of `TASK_CLASSES` when equal), and

    confidence = E(best) / (sum of E + DOUBT)
    complexity = sum over terms of weight * x / (x + half)

Each term of the complexity grows with its x and never reaches its weight, so more of anything that makes a request hard
never makes it easier, and the sum stays below PPM.
"""

from __future__ import annotations

from collections.abc import Sequence

from provider_router.domain.contracts.contract import PPM
from provider_router.domain.decisions.route_request import Estimate
from provider_router.domain.tasks.task import TASK_CLASSES
from provider_router.domain.tasks.task_features import TaskFeatures

FEATURES = "features/1"
FEATURES_AND_EMBEDDING = "features+embedding/1"

LIKENESS = 20_000
"""Thousandths of a point for a score that is PPM above the mean of the classes."""
DOUBT = 8_000
"""Thousandths of a point that stand for what nobody sees: few signs give little confidence."""

_SHORT_CHARS = 30
_QUESTION_CHARS = 120
_DEMANDS = {"reasoning": 3, "math": 3, "code": 3, "agentic": 3, "writing": 1, "knowledge": 1, "extraction": 1}
_DEMAND = tuple(_DEMANDS.get(name, 0) for name in TASK_CLASSES)
_INDEX = {name: index for index, name in enumerate(TASK_CLASSES)}
_NO_SIGN = 2_000
"""Every text is a little like some class; less than these thousandths of a point says nothing of its difficulty."""
_NO_LIKENESS = (0,) * len(TASK_CLASSES)

# Weights of the terms of the complexity in millionths, and the x at which a term has half of its weight.
_LENGTH, _LENGTH_HALF = 150_000, 3_000
_EFFORT, _EFFORT_HALF = 450_000, 25_000
_CONSTRAINTS, _CONSTRAINTS_HALF = 200_000, 4
_TOOLS, _TOOLS_HALF = 80_000, 6
_TURNS, _TURNS_HALF = 40_000, 8
_STRUCTURE, _STRUCTURE_HALF = 80_000, 6


def estimate_task(features: TaskFeatures, likeness: Sequence[int] = ()) -> Estimate:
    """Estimates a request.

    Args:
        features: Of the request.
        likeness: Score of each of `TASK_CLASSES`, in their order, in millionths; empty without a vector.
    """
    signs = _signs(features)
    alike = _above_mean(likeness) if likeness else _NO_LIKENESS
    evidence = [1000 * sign + also for sign, also in zip(signs, alike, strict=True)]
    best = max(evidence)
    return Estimate(
        task_class=TASK_CLASSES[evidence.index(best)],
        confidence_ppm=best * PPM // (sum(evidence) + DOUBT),
        complexity_ppm=_complexity(features, alike),
        method=FEATURES_AND_EMBEDDING if likeness else FEATURES,
    )


def _signs(features: TaskFeatures) -> list[int]:
    """Points of words and of structure, for each class."""
    points = list(features.points)
    for name, more in (
        ("general", 3 + 3 * (features.text_chars < _SHORT_CHARS)),
        ("code", 6 * min(features.fences, 2) + 3 * min(features.code_lines, 4)),
        ("math", 6 * min(features.operations, 3) + min(features.numbers, 3)),
        ("extraction", 3 * features.schema),
        ("knowledge", 2 * (features.questions > 0 and features.text_chars < _QUESTION_CHARS)),
        ("agentic", 4 * (features.tools > 0) + 10 * (features.tool_results > 0)),
        ("classification", features.schema),
    ):
        points[_INDEX[name]] += more
    return points


def _above_mean(likeness: Sequence[int]) -> tuple[int, ...]:
    mean = sum(likeness) // len(likeness)
    return tuple([LIKENESS * max(0, value - mean) // PPM for value in likeness])


def _complexity(features: TaskFeatures, alike: Sequence[int]) -> int:
    words = sum(
        demand * (1000 * points + max(0, also - _NO_SIGN))
        for demand, points, also in zip(_DEMAND, features.points, alike, strict=True)
    )
    structure = features.code_lines + features.operations + features.numbers + 3 * features.schema + 2 * features.fences
    return (
        _share(_LENGTH, features.total_chars, _LENGTH_HALF)
        + _share(_EFFORT, words, _EFFORT_HALF)
        + _share(_CONSTRAINTS, features.constraints + features.listed, _CONSTRAINTS_HALF)
        + _share(_TOOLS, features.tools + 2 * features.tool_results, _TOOLS_HALF)
        + _share(_TURNS, max(0, features.turns - 1), _TURNS_HALF)
        + _share(_STRUCTURE, structure, _STRUCTURE_HALF)
    )


def _share(weight: int, amount: int, half: int) -> int:
    return weight * amount // (amount + half)
