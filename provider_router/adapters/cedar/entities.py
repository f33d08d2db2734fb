"""Contracts and callers as Cedar sees them, in its JSON form."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from datetime import date
from typing import TypeAlias, cast

from provider_router.domain.contracts.contract import Contract
from provider_router.domain.contracts.service import RegistrySnapshot
from provider_router.domain.rulebook.policy import PolicyQuestion

Entity: TypeAlias = dict[str, object]


def service_entities(registry: RegistrySnapshot, day: date) -> Mapping[str, Entity]:
    """Every service by name, with the price of `day`."""
    return {name: _service(service.contract, day) for name, service in registry.services.items()}


def provider_entities(registry: RegistrySnapshot) -> list[Entity]:
    """The provider of every service."""
    return [
        _entity("Provider", name) for name in sorted({each.contract.provider for each in registry.services.values()})
    ]


def facts_of(entity: Entity, names: Sequence[str]) -> Hashable:
    """What a service is in the given attributes, and in the tags whose names have a number sign before them."""
    attributes, tags = cast("Entity", entity["attrs"]), cast("Entity", entity["tags"])
    found = [tags.get(name[1:]) if name.startswith("#") else attributes.get(name) for name in names]
    return tuple(tuple(cast("list[str]", each)) if isinstance(each, list) else each for each in found)


def caller_entities(question: PolicyQuestion) -> list[Entity]:
    """The caller, with its groups and its organisation."""
    groups = [("Group", role) for role in question.roles]
    parents = [*groups, ("Organisation", question.org_id)]
    return [_entity("User", question.user_id, parents), *(_entity(kind, name) for kind, name in parents)]


def context_of(question: PolicyQuestion) -> dict[str, object]:
    """What policies may read of the request."""
    return {
        "operation": question.operation.value,
        "tier": question.tier,
        "data_class": question.data_class.name.lower(),
        "data_level": question.data_class.value,
        "task_class": question.task_class,
        "complexity": question.complexity,
        "needs_tools": question.needs_tools,
    }


def _entity(kind: str, name: str, parents: Iterable[tuple[str, str]] = ()) -> Entity:
    above = [{"type": kind, "id": name} for kind, name in parents]
    return {"uid": {"type": kind, "id": name}, "attrs": {}, "parents": above}


def _service(contract: Contract, day: date) -> Entity:
    entity = _entity("Service", contract.name, [("Provider", contract.provider)])
    return {**entity, "attrs": _attributes(contract, day), "tags": _tags(contract)}


def _attributes(contract: Contract, day: date) -> dict[str, object]:
    can, privacy, price = contract.capabilities, contract.privacy, contract.price_on(day)
    attributes: dict[str, object] = {
        "name": contract.name,
        "model": contract.model,
        "provider": contract.provider,
        "owner": contract.owner,
        "tags": sorted(contract.tags),
        "operations": sorted(can.operations),
        "input": sorted(can.input_modalities),
        "output": sorted(can.output_modalities),
        "tool_calling": can.tool_calling,
        "json_schema": can.json_schema,
        "context_length": can.context_length,
        "max_output_tokens": can.max_output_tokens,
        "clearance": privacy.clearance.name.lower(),
        "clearance_level": privacy.clearance.value,
        "regions": sorted(privacy.regions),
        "trains_on_data": privacy.may_train,
        "on_premises": privacy.on_premises,
        "encrypted": privacy.encrypted,
        "certifications": sorted(privacy.certifications),
        "quality_ppm": contract.quality.default,
        "demonstration": contract.demonstration,
        # An organisation writes its own contracts' tags, owner and traits: the platform may want to tell them apart.
        "registered": bool(contract.org_id),
    }
    if privacy.retention_days is not None:
        attributes["retention_days"] = privacy.retention_days
    if price is not None:
        attributes |= {"input_micro_usd": price.rates.input, "output_micro_usd": price.rates.output}
    return attributes


def _tags(contract: Contract) -> dict[str, str]:
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in contract.traits.items()
    }
