"""Step 2, match: whether a contract covers what kind of thing is asked. How much is asked is in `limits.py`."""

from __future__ import annotations

from collections.abc import Collection

from provider_router.domain.contracts.contract import ANY_LANGUAGE, Contract
from provider_router.domain.decisions.decision import Rejected, Rejection, Step
from provider_router.domain.decisions.route_request import RouteRequest


def mismatch(contract: Contract, request: RouteRequest) -> Rejection | None:
    """Why `contract` does not cover `request`; None when it does. Reads nothing of `request` that is a quantity."""
    found = _named(contract, request) or _kind(contract, request) or _form(contract, request)
    return None if found is None else Rejection(contract.name, Step.MATCH, *found)


def _named(contract: Contract, request: RouteRequest) -> tuple[Rejected, str] | None:
    if request.model and request.model != contract.name:
        return Rejected.NOT_THE_MODEL_ASKED_FOR, ""
    if request.provider and request.provider != contract.provider:
        return Rejected.NOT_THE_PROVIDER_ASKED_FOR, ""
    return None


def _kind(contract: Contract, request: RouteRequest) -> tuple[Rejected, str] | None:
    can = contract.capabilities
    if request.operation not in can.operations:
        return Rejected.OPERATION, f"does {_listed(can.operations)}"
    if not request.input_modalities <= can.input_modalities:
        return Rejected.MODALITY_IN, f"takes {_listed(can.input_modalities)}"
    if not request.output_modalities <= can.output_modalities:
        return Rejected.MODALITY_OUT, f"gives {_listed(can.output_modalities)}"
    return None


def _form(contract: Contract, request: RouteRequest) -> tuple[Rejected, str] | None:
    can = contract.capabilities
    if request.needs_tools and not can.tool_calling:
        return Rejected.TOOL_CALLING, "calls no tools"
    if request.needs_json_schema and not can.json_schema:
        return Rejected.JSON_SCHEMA, "cannot be bound to a JSON Schema"
    if request.language and not {request.language, ANY_LANGUAGE} & can.languages:
        return Rejected.LANGUAGE, f"speaks {_listed(can.languages)}"
    refused = [each for each in request.parameters if contract.traits.get(each) is False]
    return (Rejected.PARAMETER, f"takes no {_listed(refused)}") if refused else None


def _listed(words: Collection[str]) -> str:
    return ", ".join(sorted(words)) or "nothing"
