"""Compares what was decided with what follows from the same world, step by step."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from provider_router.domain.decisions.decision import Decision, Rejection, Step


class Check(StrEnum):
    """What is checked, in this order. The first five are about what is stored, the others about the decision."""

    CHAIN = "chain"
    RECORD = "record"
    SNAPSHOT = "snapshot"
    STORED_RULES = "rules"
    STATE = "state"
    FIELD_STATE = "field_state"
    MATCH = "match"
    RULES = "rules step"
    SECURITY = "security"
    TRAITS = "traits"
    SCORE = "score"
    GUARANTEES = "guarantees"
    CONTROL = "control"


@dataclass(frozen=True, slots=True)
class Verification:
    """What came of it.

    Attributes:
        checked: The checks that were made, in order; the last one failed unless all hold.
        detail: What differs, in words; empty when everything agrees.
    """

    checked: tuple[Check, ...]
    detail: str = ""

    @property
    def valid(self) -> bool:
        """Whether everything agrees."""
        return not self.detail

    @property
    def differing(self) -> Check | None:
        """The check that failed; None when everything agrees."""
        return None if self.valid else self.checked[-1]


DECIDED = (
    Check.FIELD_STATE,
    Check.MATCH,
    Check.RULES,
    Check.SECURITY,
    Check.TRAITS,
    Check.SCORE,
    Check.GUARANTEES,
    Check.CONTROL,
)
"""The checks of a decision against another one, in their order."""

_REMOVING = {
    Check.MATCH: Step.MATCH,
    Check.RULES: Step.RULES,
    Check.SECURITY: Step.SECURITY,
    Check.TRAITS: Step.TRAITS,
}


def difference(check: Check, recorded: Decision, computed: Decision) -> str:
    """What differs between two decisions at one of the checks of `DECIDED`; empty when nothing does.

    Two decisions that differ at no check are equal.
    """
    if check in _REMOVING:
        if check is Check.TRAITS and recorded.rejections != computed.rejections:
            return _rejections(recorded.rejections, computed.rejections)
        step = _REMOVING[check]
        return _rejections(
            tuple(each for each in recorded.rejections if each.step is step),
            tuple(each for each in computed.rejections if each.step is step),
        )
    if check is Check.SCORE:
        return _score(recorded, computed)
    if check is Check.GUARANTEES:
        same = recorded.promise == computed.promise
        return "" if same else "what was promised does not follow from the contracts of the chain"
    if check is Check.CONTROL:
        same = recorded.control == computed.control
        return "" if same else "the attempt order or its limits are others"
    return _field(recorded, computed)


def _field(recorded: Decision, computed: Decision) -> str:
    for name in ("time", "request", "registry_digest", "rules_digest", "state_digest", "tier"):
        if getattr(recorded, name) != getattr(computed, name):
            return f"the {name.replace('_', ' ')} is another one"
    return ""


def _rejections(recorded: tuple[Rejection, ...], computed: tuple[Rejection, ...]) -> str:
    if recorded == computed:
        return ""
    before, now = ({each.service: each for each in some} for some in (recorded, computed))
    for name in sorted({*before, *now}):
        if before.get(name) != now.get(name):
            return f"{name}: recorded {_why(before.get(name))}, computed {_why(now.get(name))}"
    return "the order of the rejections is another one"


def _why(rejection: Rejection | None) -> str:
    if rejection is None:
        return "as passing"
    detail = f" ({rejection.detail})" if rejection.detail else ""
    return f"as removed for {rejection.reason} at {rejection.step}{detail}"


def _score(recorded: Decision, computed: Decision) -> str:
    if recorded.choice != computed.choice:
        return f"recorded the choice {recorded.choice or 'of none'}, computed {computed.choice or 'none'}"
    if recorded.ranked == computed.ranked:
        return ""
    for place, (before, now) in enumerate(zip(recorded.ranked, computed.ranked, strict=False), start=1):
        if before != now:
            return (
                f"place {place}: recorded {before.service} with {before.score}, computed {now.service} with {now.score}"
            )
    return f"recorded {len(recorded.ranked)} candidates, computed {len(computed.ranked)}"
