"""Chooses a tool for a question by the likeness of vectors, and abstains when in doubt.

The three numbers were set against the MiniLM embedding model that ships with Nexus: `tests/unit/orchestrator` has the
labelled questions and their recorded vectors.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import mul

Vector = Sequence[float]
_USE = re.compile(
    r"\b(?:use|using|call|run|with|via)\s+(?:the\s+)?(?:tool\s+)?[`'\"]?([a-z0-9_]{3,64})\b", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class ChoiceRules:
    """When a tool is chosen; all are cosines or differences of cosines.

    Attributes:
        least_likeness: between the question and the tool's nearest text.
        least_lead_over_none: over the nearest text that needs no tool.
        least_lead_over_next: over the next tool's nearest text.
        lead_with_evidence: replaces `least_lead_over_none` for a tool whose arguments were found in the question.
    """

    least_likeness: float = 0.36
    least_lead_over_none: float = 0.08
    least_lead_over_next: float = 0.02
    lead_with_evidence: float = -0.25


@dataclass(frozen=True, slots=True)
class Likeness:
    """How near a question is to each tool, and to what needs no tool."""

    tools: Mapping[str, float]
    none: float


def likeness_of(question: Vector, tools: Mapping[str, Iterable[Vector]], none: Iterable[Vector]) -> Likeness:
    """Return the greatest cosine with any text of each tool, and of those that need none. Vectors have length 1."""
    return Likeness({name: _nearest(question, vectors) for name, vectors in tools.items()}, _nearest(question, none))


def named_tool(question: str, names: Container[str]) -> str | None:
    """Return the first of `names` that the question says to use; names that could be words of a sentence do not count.

    Tools of one kind from several servers are alike: only their names tell them apart.
    """
    said = (match[1].lower() for match in _USE.finditer(question))
    return next((name for name in said if "_" in name and name in names), None)


def choose(likeness: Likeness, evidence: Iterable[str], rules: ChoiceRules) -> str | None:
    """Return the name of the tool to call, or None to abstain.

    Args:
        likeness: how near the question is to each tool.
        evidence: tools whose arguments were found in the question.
        rules: when a tool is chosen.
    """
    ranked = sorted(likeness.tools.items(), key=lambda item: item[1], reverse=True)
    if not ranked:
        return None
    name, best = ranked[0]
    after = ranked[1][1] if len(ranked) > 1 else -1.0
    lead = rules.lead_with_evidence if name in set(evidence) else rules.least_lead_over_none
    if best < rules.least_likeness or best - after < rules.least_lead_over_next:
        return None
    return name if best - likeness.none >= lead else None


def _nearest(question: Vector, vectors: Iterable[Vector]) -> float:
    return max((sum(map(mul, question, vector)) for vector in vectors), default=-1.0)
