"""Contracts as YAML: the form that `contract_reader.read_contract` reads."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import yaml

from provider_router.adapters.yaml_file.contract_schema import Clearance, Weekday
from provider_router.domain.contracts.contract import (
    Capabilities,
    Constraints,
    Contract,
    Guarantees,
    Modality,
    Operation,
    Price,
    Privacy,
    Quality,
    Rates,
)

_MICRO = 1_000_000
_WEEKDAYS = tuple(Weekday)
_CLEARANCES = tuple(Clearance)


class _Number(str):
    """A decimal number, written as it stands."""

    __slots__ = ()


class _Dumper(yaml.SafeDumper):
    """Writes decimal numbers without rounding, and nothing twice by reference."""

    def ignore_aliases(self, data: Any) -> bool:
        """Writes every value where it stands."""
        del data
        return True


def _represent_number(dumper: yaml.SafeDumper, number: _Number) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:float", str(number))  # pyright: ignore[reportUnknownMemberType]


_Dumper.add_representer(_Number, _represent_number)


def contract_yaml(contract: Contract) -> str:
    """The contract as a file to register; what the registry sets is left out."""
    data = {
        "name": contract.name,
        "version": contract.version,
        "owner": contract.owner,
        "tags": sorted(contract.tags),
        "capabilities": _capabilities(contract.capabilities),
        "guarantees": _guarantees(contract.guarantees),
        "constraints": _constraints(contract.constraints),
        "privacy": _privacy(contract.privacy),
        "prices": [_price(price) for price in contract.prices],
        "quality": _quality(contract.quality),
        "traits": dict(contract.traits),
    }
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


def decimal(micro: int) -> str:
    """Millionths as a decimal number: 1250000 is `1.25`."""
    whole, part = divmod(micro, _MICRO)
    return f"{whole}.{part:06d}".rstrip("0").removesuffix(".") if part else str(whole)


def _number(micro: int) -> _Number:
    shown = decimal(micro)
    return _Number(shown if "." in shown else f"{shown}.0")


def _values(members: Iterable[Operation | Modality]) -> list[str]:
    return sorted(member.value for member in members)


def _capabilities(capabilities: Capabilities) -> dict[str, Any]:
    return {
        "operations": _values(capabilities.operations),
        "input": _values(capabilities.input_modalities),
        "output": _values(capabilities.output_modalities),
        "tool_calling": capabilities.tool_calling,
        "json_schema": capabilities.json_schema,
        "streaming": capabilities.streaming,
        "context_length": capabilities.context_length,
        "max_output_tokens": capabilities.max_output_tokens,
        "dimensions": capabilities.dimensions,
        "languages": sorted(capabilities.languages),
    }


def _guarantees(guarantees: Guarantees) -> dict[str, Any]:
    return {
        "first_token_p50_ms": guarantees.first_token_p50_ms,
        "first_token_p95_ms": guarantees.first_token_p95_ms,
        "tokens_per_second": guarantees.tokens_per_second,
        "availability": _number(guarantees.availability_ppm),
        "deterministic": guarantees.deterministic,
    }


def _constraints(constraints: Constraints) -> dict[str, Any]:
    return {
        "requests_per_minute": constraints.requests_per_minute,
        "tokens_per_minute": constraints.tokens_per_minute,
        "max_payload_bytes": constraints.max_payload_bytes,
        "windows": [
            {
                "weekdays": [_WEEKDAYS[day].value for day in sorted(window.weekdays)],
                "from": _time(window.start_minute),
                "to": _time(window.end_minute),
            }
            for window in constraints.windows
        ],
    }


def _time(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


def _privacy(privacy: Privacy) -> dict[str, Any]:
    return {
        "clearance": _CLEARANCES[privacy.clearance].value,
        "regions": sorted(privacy.regions),
        "retention_days": privacy.retention_days,
        "trains_on_data": privacy.trains_on_data,
        "on_premises": privacy.on_premises,
        "encrypted": privacy.encrypted,
        "certifications": sorted(privacy.certifications),
    }


def _price(price: Price) -> dict[str, Any]:
    data: dict[str, Any] = {"from": price.effective_date, **_rates(price.rates)}
    if price.per_request:
        data["per_request"] = _number(price.per_request)
    if price.long_context_rates is not None:
        data["long_context"] = {"above_tokens": price.long_context_tokens, **_rates(price.long_context_rates)}
    if price.source:
        data["source"] = price.source
    return data


def _rates(rates: Rates) -> dict[str, Any]:
    given = {
        "input": rates.input,
        "output": rates.output,
        "cached_input": rates.cached_input,
        "cache_write": rates.cache_write,
    }
    return {kind: _number(rate) for kind, rate in given.items() if rate is not None}


def _quality(quality: Quality) -> dict[str, Any]:
    return {
        "default": _number(quality.default),
        "by_task": {task: _number(belief) for task, belief in quality.by_task.items()},
        "source": quality.source,
    }
