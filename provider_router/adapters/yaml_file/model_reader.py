"""One model of a provider: what it builds upon, with what is different here put over it."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from provider_router.adapters.yaml_file.contract_reader import Catalogue, check, contract_from
from provider_router.adapters.yaml_file.contract_schema import ContractForm
from provider_router.adapters.yaml_file.located_yaml import Path, RefusedFileError
from provider_router.adapters.yaml_file.provider_schema import ModelSection
from provider_router.adapters.yaml_file.source_file import SourceFile
from provider_router.adapters.yaml_file.validated import validated_part
from provider_router.domain.contracts.contract import Contract, Operation
from provider_router.domain.contracts.dialect import UNSERVED_BY_DIALECT
from provider_router.domain.contracts.provider import ProviderSpec, ProviderType

_ELSEWHERE: Mapping[str, Any] = {"capabilities": {"json_schema": True}, "privacy": {"clearance": "internal"}}
"""What holds for a model elsewhere of which the file says no more: who configured it lets it see what is internal."""

_HERE: Mapping[str, Any] = {
    "capabilities": {"json_schema": True},
    "privacy": {"clearance": "restricted", "on_premises": True, "retention_days": 0, "trains_on_data": False},
}
"""What holds for a model of this machine: nothing leaves it."""

_FLAT = ("tool_calling", "json_schema", "context_length", "max_output_tokens", "dimensions")
_SECTIONS = (
    "owner",
    "tags",
    "capabilities",
    "guarantees",
    "constraints",
    "privacy",
    "prices",
    "quality",
    "traits",
    "demonstration",
)
_ALWAYS = "1970-01-01"
_SHOWN_MODELS = 5


@dataclass(frozen=True, slots=True)
class ModelPlace:
    """Where a model stands.

    Attributes:
        source: The file.
        where: The path in it.
        provider: Who serves it.
        catalogue: The shipped contracts that the provider builds upon; None for none.
    """

    source: SourceFile
    where: Path
    provider: ProviderSpec
    catalogue: Catalogue | None

    def wrong(self, reason: str, *field: str) -> RefusedFileError:
        """The error that says what is wrong with the model, or with a field of it."""
        return self.source.located.wrong((*self.where, *field), reason)


def read_model(place: ModelPlace, data: Any) -> Contract:
    """The contract of the model that stands at `place`: a name of the catalogue, or a mapping.

    Raises:
        RefusedFileError: With the place and the reason.
    """
    is_name = isinstance(data, str)
    section = validated_part(place.source, place.where, {"name": data} if is_name else data, ModelSection)
    base = _shipped(place, section, must_be=is_name)
    merged = _over(_over(base, _flat(section, base)), _given(section))
    if not _operations(merged):
        raise place.wrong(f"needs `chat: true` or `embeddings: true`{_hint(place, section)}")
    form = validated_part(place.source, place.where, merged, ContractForm)
    name = f"{place.provider.name}/{section.name}"
    contract = contract_from(form, name, needs_auth=place.provider.needs_key)
    if "encrypted" not in _given(section).get("privacy", {}):
        claimed = form.privacy.encrypted is not False and place.provider.is_encrypted
        contract = replace(contract, privacy=replace(contract.privacy, encrypted=claimed))
    check(place.source, place.where, form, contract)
    unserved = UNSERVED_BY_DIALECT[place.provider.type] & contract.capabilities.operations
    if unserved:
        field = ("embeddings",) if section.embeddings else ()
        raise place.wrong(f"this type of provider has no {_word(min(unserved))}", *field)
    return contract


def _shipped(place: ModelPlace, section: ModelSection, *, must_be: bool) -> Mapping[str, Any]:
    """What the model builds upon: its shipped contract, or else what holds for every model of such a provider."""
    wanted = section.contract or section.name
    found = place.catalogue.entries.get(wanted) if place.catalogue else None
    if found is not None:
        return found
    if must_be or section.contract is not None:
        raise place.wrong(_unknown(place, wanted), *(("contract",) if section.contract else ()))
    return _HERE if place.provider.type is ProviderType.LOCAL else _ELSEWHERE


def _unknown(place: ModelPlace, wanted: str) -> str:
    if place.catalogue is None:
        return f"'{wanted}' is only a name: say what the model can do, or give the provider a `catalog`"
    return f"there is no model '{wanted}' in {place.catalogue.file}{_close(place.catalogue, wanted)}"


def _close(catalogue: Catalogue, wanted: str) -> str:
    close = difflib.get_close_matches(wanted, catalogue.entries, n=_SHOWN_MODELS, cutoff=0.4)
    shown = close or sorted(catalogue.entries)[:_SHOWN_MODELS]
    return f"; {'close to it' if close else 'it has'}: {', '.join(shown)}" if shown else ""


def _hint(place: ModelPlace, section: ModelSection) -> str:
    return f", for {_unknown(place, section.name)}" if place.catalogue else ""


def _flat(section: ModelSection, base: Mapping[str, Any]) -> dict[str, Any]:
    """The flat fields as sections of the contract's form."""
    capabilities = {field: value for field in _FLAT if (value := getattr(section, field)) is not None}
    operations = _operations(base)
    for operation, does in (("chat", section.chat), ("embed", section.embeddings)):
        if does is not None:
            operations = [*(each for each in operations if each != operation), *([operation] if does else [])]
    capabilities["operations"] = operations
    flat: dict[str, Any] = {"capabilities": capabilities}
    price = section.usd_per_million_tokens
    if price is not None:
        rates = price.model_dump(exclude_none=True)
        flat["prices"] = [{"from": _ALWAYS, **{kind: _usd(micro) for kind, micro in rates.items()}}]
    return flat


def _given(section: ModelSection) -> dict[str, Any]:
    return {field: value for field in _SECTIONS if (value := getattr(section, field)) is not None}


def _operations(data: Mapping[str, Any]) -> list[Any]:
    operations = data.get("capabilities", {}).get("operations")
    return cast("list[Any]", operations) if isinstance(operations, list) else []


def _over(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with `changes` put over it, field by field; lists and single values are replaced."""
    merged = dict(base)
    for key, value in changes.items():
        below = merged.get(key)
        if isinstance(below, dict) and isinstance(value, dict):
            merged[key] = _over(cast("dict[str, Any]", below), cast("dict[str, Any]", value))
        else:
            merged[key] = value
    return merged


def _usd(micro: int) -> str:
    return f"{micro // 1_000_000}.{micro % 1_000_000:06d}"


def _word(operation: Operation) -> str:
    return "embeddings" if operation is Operation.EMBED else operation.value
