"""Step 5, traits: typed constraints on the free facts of a contract."""

from __future__ import annotations

from provider_router.domain.contracts.contract import Contract, TraitValue
from provider_router.domain.decisions.decision import Rejected, Rejection, Step
from provider_router.domain.decisions.route_request import Comparison, RouteRequest, TraitConstraint


def unsuited(contract: Contract, request: RouteRequest) -> Rejection | None:
    """The first constraint of `request` that `contract` does not satisfy, as a rejection; None when there is none."""
    for constraint in request.traits:
        value = contract.traits.get(constraint.trait)
        if value is None or not _holds(value, constraint):
            # The trait's own value, in the contract's words: `true`, not Python's `True`.
            shown = "not set" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
            return Rejection(contract.name, Step.TRAITS, Rejected.TRAIT, f"{constraint.trait} is {shown}")
    return None


def same_value(one: TraitValue, other: TraitValue) -> bool:
    """Whether two values are equal and of one type: `True` is not 1."""
    return type(one) is type(other) and one == other


def _holds(value: TraitValue, constraint: TraitConstraint) -> bool:
    """Whether `value` satisfies `constraint`. A value of another type satisfies nothing, not even NOT_EQUAL."""
    if constraint.comparison is Comparison.IN:
        return any(same_value(value, each) for each in constraint.values)
    if len(constraint.values) != 1 or type(value) is not type(constraint.values[0]):
        return False
    wanted = constraint.values[0]
    if constraint.comparison is Comparison.EQUAL:
        return value == wanted
    if constraint.comparison is Comparison.NOT_EQUAL:
        return value != wanted
    # The order of texts and of truth values means nothing.
    return type(value) is int and type(wanted) is int and _ordered(value, wanted, constraint.comparison)


def _ordered(value: int, wanted: int, comparison: Comparison) -> bool:
    if comparison is Comparison.LESS:
        return value < wanted
    if comparison is Comparison.AT_MOST:
        return value <= wanted
    if comparison is Comparison.GREATER:
        return value > wanted
    return value >= wanted
