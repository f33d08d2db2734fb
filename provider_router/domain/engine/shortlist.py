"""Steps 2 to 5 for a class of requests: everything that neither quantities nor the system's state can change."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass

from provider_router.domain.contracts.contract import Contract
from provider_router.domain.decisions.decision import Rejection
from provider_router.domain.decisions.route_request import RouteRequest
from provider_router.domain.engine.match import mismatch
from provider_router.domain.engine.rules import ApplyingRules, preference_ppm, ruled_out
from provider_router.domain.engine.security import withheld
from provider_router.domain.engine.traits import unsuited
from provider_router.domain.rulebook.policy import Refusal

_KB = 1024
_VALUE_BYTES = 64


@dataclass(frozen=True, slots=True)
class Listed:
    """A service that covers what kind of thing is asked.

    Attributes:
        contract: Of it.
        ruled_out: Why the rules take it away; None when they do not.
        withheld: Why it may not see the data; None when it may.
        unsuited: Which trait it lacks; None for none.
        preference_ppm: What the preferences add up to.
    """

    contract: Contract
    ruled_out: Rejection | None
    withheld: Rejection | None
    unsuited: Rejection | None
    preference_ppm: int


@dataclass(frozen=True, slots=True, eq=False)
class Shortlist:
    """The services of a field, by name, in those that may be candidates and those that cannot.

    Attributes:
        listed: By name.
        mismatched: By name.
        chain: The operator's order; empty for none.
    """

    listed: tuple[Listed, ...]
    mismatched: tuple[Rejection, ...]
    chain: tuple[str, ...]


def kind_of(request: RouteRequest) -> Hashable:
    """Requests of one kind have the same shortlist, by the same applying rules."""
    return (
        request.model,
        request.provider,
        request.operation,
        request.needs_tools,
        request.needs_json_schema,
        request.data_class,
        request.language,
        request.parameters,
        request.chain,
        request.input_modalities,
        request.output_modalities,
        request.residency,
        request.traits,
    )


def bulk_of(request: RouteRequest) -> int:
    """About how many KB a kind takes by what callers may write into it; most take none."""
    values = (value for each in request.traits for value in each.values)
    return sum(_VALUE_BYTES + (len(value) if isinstance(value, str) else 0) for value in values) // _KB


def shortlist_of(
    field: list[Contract], request: RouteRequest, applying: ApplyingRules, refused: Mapping[str, Refusal]
) -> Shortlist:
    """The shortlist of `field`, which is in the order of the names."""
    listed: list[Listed] = []
    mismatched: list[Rejection] = []
    for contract in field:
        rejection = mismatch(contract, request)
        if rejection is None:
            listed.append(
                Listed(
                    contract,
                    ruled_out(contract, request.chain, refused, applying),
                    withheld(contract, request),
                    unsuited(contract, request),
                    preference_ppm(contract, applying.preferences),
                )
            )
        else:
            mismatched.append(rejection)
    return Shortlist(tuple(listed), tuple(mismatched), request.chain)
