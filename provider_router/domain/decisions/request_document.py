"""The canonical form of a request's features, as a part of the canonical form of a decision."""

from __future__ import annotations

from typing import TypeVar

from provider_router.domain.contracts.contract import DataClass, Modality, Operation, TraitValue
from provider_router.domain.decisions.canonical_json import NotCanonical, Reader, items_of, member_of, text_of
from provider_router.domain.decisions.route_request import Caller, Comparison, Estimate, RouteRequest, TraitConstraint

_Text = TypeVar("_Text", bound=str)
_FIRST = 1
"""The formula whose requests had no parameters."""


def request_document(request: RouteRequest, formula: int) -> dict[str, object]:
    """The fields of `request` as a JSON object whose keys are in order, in the form of decisions by `formula`."""
    parameters = {} if formula == _FIRST else {"parameters": _in_order(request.parameters)}
    return {
        "affinity": request.affinity,
        "budget_left_micro_usd": request.budget_left_micro_usd,
        "caller": _caller(request.caller),
        "chain": request.chain,
        "data_class": int(request.data_class),
        "deadline_ms": request.deadline_ms,
        "estimate": _estimate(request.estimate),
        "input_modalities": _in_order(request.input_modalities),
        "input_tokens": request.input_tokens,
        "language": request.language,
        "max_cost_micro_usd": request.max_cost_micro_usd,
        "max_output_tokens": request.max_output_tokens,
        "model": request.model,
        "needs_json_schema": request.needs_json_schema,
        "needs_tools": request.needs_tools,
        "operation": request.operation,
        "output_modalities": _in_order(request.output_modalities),
        "output_tokens": request.output_tokens,
        **parameters,
        "payload_bytes": request.payload_bytes,
        "provider": request.provider,
        "residency": _in_order(request.residency),
        "tier": request.tier,
        "traits": [(each.trait, each.comparison, each.values) for each in request.traits],
    }


def _in_order(texts: frozenset[_Text]) -> list[_Text]:
    return sorted(texts) if len(texts) > 1 else list(texts)


def read_request(reader: Reader, formula: int) -> RouteRequest:
    """The request that a document holds, of a decision by `formula`. Raises NotCanonical."""
    return RouteRequest(
        caller=_read_caller(reader.object("caller")),
        operation=reader.member("operation", Operation),
        model=reader.text("model"),
        provider=reader.text("provider"),
        chain=reader.texts("chain"),
        tier=reader.text("tier"),
        input_modalities=_read_modalities(reader, "input_modalities"),
        output_modalities=_read_modalities(reader, "output_modalities"),
        needs_tools=reader.flag("needs_tools"),
        needs_json_schema=reader.flag("needs_json_schema"),
        language=reader.text("language"),
        parameters=frozenset(() if formula == _FIRST else reader.texts("parameters")),
        input_tokens=reader.number("input_tokens"),
        max_output_tokens=reader.number("max_output_tokens"),
        output_tokens=reader.number("output_tokens"),
        payload_bytes=reader.number("payload_bytes"),
        data_class=reader.choice("data_class", DataClass),
        residency=frozenset(reader.texts("residency")),
        traits=tuple(_read_trait(row) for row in reader.items("traits")),
        max_cost_micro_usd=reader.number_or_none("max_cost_micro_usd"),
        budget_left_micro_usd=reader.number_or_none("budget_left_micro_usd"),
        deadline_ms=reader.number_or_none("deadline_ms"),
        affinity=reader.text("affinity"),
        estimate=_read_estimate(reader.object("estimate")),
    )


def _caller(caller: Caller) -> dict[str, object]:
    return {"key_id": caller.key_id, "org_id": caller.org_id, "roles": caller.roles, "user_id": caller.user_id}


def _estimate(estimate: Estimate) -> dict[str, object]:
    return {
        "complexity_ppm": estimate.complexity_ppm,
        "confidence_ppm": estimate.confidence_ppm,
        "method": estimate.method,
        "task_class": estimate.task_class,
    }


def _read_caller(reader: Reader) -> Caller:
    return Caller(reader.text("org_id"), reader.text("user_id"), reader.text("key_id"), reader.texts("roles"))


def _read_estimate(reader: Reader) -> Estimate:
    return Estimate(
        task_class=reader.text("task_class"),
        confidence_ppm=reader.number("confidence_ppm"),
        complexity_ppm=reader.number("complexity_ppm"),
        method=reader.text("method"),
    )


def _read_modalities(reader: Reader, key: str) -> frozenset[Modality]:
    return frozenset(member_of(each, Modality, key) for each in reader.items(key))


def _read_trait(value: object) -> TraitConstraint:
    trait, comparison, values = items_of(value, "traits", 3)
    return TraitConstraint(
        text_of(trait, "traits"),
        member_of(comparison, Comparison, "traits"),
        tuple(_read_value(each) for each in items_of(values, "traits")),
    )


def _read_value(value: object) -> TraitValue:
    if not isinstance(value, bool | int | str):
        raise NotCanonical("the value of a trait is of no known kind")
    return value
