"""The canonical form of contracts and of the registry, and their digests.

A contract is an object with every field of `Contract` under its own name: sets as sorted lists, enumerations as their
values, dates as YYYY-MM-DD. The registry is `{"contracts": [...], "version": 1}`, in the order of the services' names.
Of the providers it holds nothing: no decision depends on an address or on the name of a key.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import TypeVar

from provider_router.domain.contracts.contract import (
    Capabilities,
    Constraints,
    Contract,
    DataClass,
    Guarantees,
    Modality,
    Operation,
    Price,
    Privacy,
    Quality,
    Rates,
    TimeWindow,
    TraitValue,
)
from provider_router.domain.contracts.provider import ProviderSpec, ProviderType
from provider_router.domain.contracts.service import RegistrySnapshot, Service
from provider_router.domain.decisions.canonical_json import (
    NotCanonical,
    Reader,
    canonical_bytes,
    digest_of,
    member_of,
    number_of,
)

_VERSION = 1
_Member = TypeVar("_Member", Operation, Modality)


def encode_contract(contract: Contract) -> bytes:
    """The canonical form of one contract."""
    return canonical_bytes(_contract(contract))


def decode_contract(document: bytes) -> Contract:
    """The contract that `document` holds.

    Raises:
        NotCanonical: It is not in canonical form.
    """
    contract = _read_contract(Reader.parse(document))
    if encode_contract(contract) != document:
        raise NotCanonical("the contract is not in canonical form")
    return contract


def encode_registry(contracts: Iterable[Contract]) -> bytes:
    """The canonical form of a registry with these contracts. Names are unique."""
    ordered = sorted(contracts, key=lambda contract: contract.name)
    return canonical_bytes({"contracts": [_contract(contract) for contract in ordered], "version": _VERSION})


def registry_digest(contracts: Iterable[Contract]) -> str:
    """SHA-256 of the canonical form, hexadecimal."""
    return digest_of(encode_registry(contracts))


def decode_registry(document: bytes) -> RegistrySnapshot:
    """The snapshot that `document` holds, with its digest: enough to decide on, not to call.

    Its providers have no deployments, and it knows no chain: those of a request stand in the request.

    Raises:
        NotCanonical: It is not in canonical form.
    """
    reader = Reader.parse(document)
    contracts = [
        _read_contract(Reader(item, f"contracts[{index}]")) for index, item in enumerate(reader.items("contracts"))
    ]
    services = {contract.name: Service(contract, _stand_in(contract.provider)) for contract in contracts}
    if len(services) != len(contracts) or encode_registry(contracts) != document:
        raise NotCanonical("the registry is not in canonical form")
    providers = {service.provider.name: service.provider for service in services.values()}
    return RegistrySnapshot(services, providers, digest=digest_of(document))


def _stand_in(name: str) -> ProviderSpec:
    return ProviderSpec(name, ProviderType.OPENAI_COMPATIBLE, ())


def _contract(contract: Contract) -> dict[str, object]:
    return {
        "name": contract.name,
        "version": contract.version,
        "owner": contract.owner,
        "org_id": contract.org_id,
        "tags": sorted(contract.tags),
        "needs_auth": contract.needs_auth,
        "demonstration": contract.demonstration,
        "capabilities": _capabilities(contract.capabilities),
        "guarantees": _guarantees(contract.guarantees),
        "constraints": _constraints(contract.constraints),
        "privacy": _privacy(contract.privacy),
        "prices": [_price(price) for price in contract.prices],
        "quality": {
            "default": contract.quality.default,
            "by_task": dict(contract.quality.by_task),
            "source": contract.quality.source,
        },
        "traits": dict(contract.traits),
    }


def _capabilities(capabilities: Capabilities) -> dict[str, object]:
    return {
        "operations": _values(capabilities.operations),
        "input_modalities": _values(capabilities.input_modalities),
        "output_modalities": _values(capabilities.output_modalities),
        "tool_calling": capabilities.tool_calling,
        "json_schema": capabilities.json_schema,
        "streaming": capabilities.streaming,
        "context_length": capabilities.context_length,
        "max_output_tokens": capabilities.max_output_tokens,
        "dimensions": capabilities.dimensions,
        "languages": sorted(capabilities.languages),
    }


def _values(members: Iterable[Operation | Modality]) -> list[str]:
    return sorted(member.value for member in members)


def _guarantees(guarantees: Guarantees) -> dict[str, object]:
    return {
        "first_token_p50_ms": guarantees.first_token_p50_ms,
        "first_token_p95_ms": guarantees.first_token_p95_ms,
        "tokens_per_second": guarantees.tokens_per_second,
        "availability_ppm": guarantees.availability_ppm,
        "deterministic": guarantees.deterministic,
    }


def _constraints(constraints: Constraints) -> dict[str, object]:
    return {
        "requests_per_minute": constraints.requests_per_minute,
        "tokens_per_minute": constraints.tokens_per_minute,
        "max_payload_bytes": constraints.max_payload_bytes,
        "windows": [
            {
                "weekdays": sorted(window.weekdays),
                "start_minute": window.start_minute,
                "end_minute": window.end_minute,
            }
            for window in constraints.windows
        ],
    }


def _privacy(privacy: Privacy) -> dict[str, object]:
    return {
        "clearance": int(privacy.clearance),
        "regions": sorted(privacy.regions),
        "retention_days": privacy.retention_days,
        "trains_on_data": privacy.trains_on_data,
        "on_premises": privacy.on_premises,
        "encrypted": privacy.encrypted,
        "certifications": sorted(privacy.certifications),
    }


def _price(price: Price) -> dict[str, object]:
    return {
        "effective_date": price.effective_date.isoformat(),
        "rates": _rates(price.rates),
        "long_context_tokens": price.long_context_tokens,
        "long_context_rates": None if price.long_context_rates is None else _rates(price.long_context_rates),
        "per_request": price.per_request,
        "source": price.source,
    }


def _rates(rates: Rates) -> dict[str, object]:
    return {
        "input": rates.input,
        "output": rates.output,
        "cached_input": rates.cached_input,
        "cache_write": rates.cache_write,
    }


def _read_contract(reader: Reader) -> Contract:
    return Contract(
        name=reader.text("name"),
        version=reader.number("version"),
        owner=reader.text("owner"),
        org_id=reader.text("org_id"),
        tags=frozenset(reader.texts("tags")),
        needs_auth=reader.flag("needs_auth"),
        demonstration=reader.flag("demonstration"),
        capabilities=_read_capabilities(reader.object("capabilities")),
        guarantees=_read_guarantees(reader.object("guarantees")),
        constraints=_read_constraints(reader.object("constraints")),
        privacy=_read_privacy(reader.object("privacy")),
        prices=tuple(_read_price(Reader(item, "prices")) for item in reader.items("prices")),
        quality=_read_quality(reader.object("quality")),
        traits=_read_traits(reader),
    )


def _read_capabilities(reader: Reader) -> Capabilities:
    return Capabilities(
        operations=_members(reader, "operations", Operation),
        input_modalities=_members(reader, "input_modalities", Modality),
        output_modalities=_members(reader, "output_modalities", Modality),
        tool_calling=reader.flag("tool_calling"),
        json_schema=reader.flag("json_schema"),
        streaming=reader.flag("streaming"),
        context_length=reader.number("context_length"),
        max_output_tokens=reader.number("max_output_tokens"),
        dimensions=reader.number("dimensions"),
        languages=frozenset(reader.texts("languages")),
    )


def _members(reader: Reader, key: str, kind: type[_Member]) -> frozenset[_Member]:
    return frozenset(member_of(item, kind, key) for item in reader.items(key))


def _read_guarantees(reader: Reader) -> Guarantees:
    return Guarantees(
        first_token_p50_ms=reader.number("first_token_p50_ms"),
        first_token_p95_ms=reader.number("first_token_p95_ms"),
        tokens_per_second=reader.number("tokens_per_second"),
        availability_ppm=reader.number("availability_ppm"),
        deterministic=reader.flag("deterministic"),
    )


def _read_constraints(reader: Reader) -> Constraints:
    return Constraints(
        requests_per_minute=reader.number("requests_per_minute"),
        tokens_per_minute=reader.number("tokens_per_minute"),
        max_payload_bytes=reader.number("max_payload_bytes"),
        windows=tuple(_read_window(Reader(item, "windows")) for item in reader.items("windows")),
    )


def _read_window(reader: Reader) -> TimeWindow:
    weekdays = frozenset(number_of(item, "weekdays") for item in reader.items("weekdays"))
    return TimeWindow(weekdays, reader.number("start_minute"), reader.number("end_minute"))


def _read_privacy(reader: Reader) -> Privacy:
    return Privacy(
        clearance=reader.choice("clearance", DataClass),
        regions=frozenset(reader.texts("regions")),
        retention_days=reader.number_or_none("retention_days"),
        trains_on_data=reader.flag_or_none("trains_on_data"),
        on_premises=reader.flag("on_premises"),
        encrypted=reader.flag("encrypted"),
        certifications=frozenset(reader.texts("certifications")),
    )


def _read_price(reader: Reader) -> Price:
    try:
        effective_date = date.fromisoformat(reader.text("effective_date"))
    except ValueError as error:
        raise NotCanonical("effective_date is no date") from error
    return Price(
        effective_date=effective_date,
        rates=_read_rates(reader.object("rates")),
        long_context_tokens=reader.number("long_context_tokens"),
        long_context_rates=_read_rates_or_none(reader.object_or_none("long_context_rates")),
        per_request=reader.number("per_request"),
        source=reader.text("source"),
    )


def _read_rates_or_none(reader: Reader | None) -> Rates | None:
    return None if reader is None else _read_rates(reader)


def _read_rates(reader: Reader) -> Rates:
    return Rates(
        input=reader.number("input"),
        output=reader.number("output"),
        cached_input=reader.number_or_none("cached_input"),
        cache_write=reader.number_or_none("cache_write"),
    )


def _read_quality(reader: Reader) -> Quality:
    tasks = reader.object("by_task")
    return Quality(
        default=reader.number("default"),
        by_task={task: tasks.number(task) for task in tasks.keys()},  # noqa: SIM118 - no mapping
        source=reader.text("source"),
    )


def _read_traits(reader: Reader) -> dict[str, TraitValue]:
    traits = reader.object("traits")
    return {name: traits.scalar(name) for name in traits.keys()}  # noqa: SIM118 - no mapping
