"""Contracts from YAML: shipped ones, by model, and single ones to register."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, cast

from provider_router.adapters.yaml_file.contract_schema import (
    CatalogEntry,
    CatalogFile,
    Clearance,
    ContractForm,
    NamedContractForm,
    PriceForm,
    RatesForm,
    Weekday,
    WindowForm,
)
from provider_router.adapters.yaml_file.located_yaml import Path
from provider_router.adapters.yaml_file.source_file import SourceFile
from provider_router.adapters.yaml_file.validated import validated, validated_part
from provider_router.domain.contracts.contract import (
    Capabilities,
    Constraints,
    Contract,
    DataClass,
    Guarantees,
    Operation,
    Price,
    Privacy,
    Quality,
    Rates,
    TimeWindow,
)
from provider_router.domain.contracts.contract_checks import violations_of
from provider_router.domain.contracts.field_names import written_path

_WEEKDAYS = tuple(Weekday)
_CLEARANCES = tuple(Clearance)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The shipped contracts of one family of models.

    Attributes:
        file: Where they stand.
        entries: By model, as plain data without the model's name: what providers build upon.
    """

    file: str
    entries: Mapping[str, Mapping[str, Any]]


def family_of(source: SourceFile) -> str:
    """The name of the catalogue in `source`: that of the file, without its ending."""
    return PurePosixPath(source.name).stem


def read_catalogue(source: SourceFile) -> Catalogue:
    """Reads a file of shipped contracts, and checks each of them.

    Raises:
        RefusedFileError: With the place and the reason.
    """
    file = validated(source, CatalogFile)
    entries: dict[str, Mapping[str, Any]] = {}
    with source.blamed():
        for index, data in enumerate(file.contracts):
            where = ("contracts", index)
            form = validated_part(source, where, data, CatalogEntry)
            if form.model in entries:
                raise source.located.wrong((*where, "model"), f"the model '{form.model}' stands twice")
            check(source, where, form, contract_from(form, f"{family_of(source)}/{form.model}"))
            raw = cast("Mapping[str, Any]", data)
            entries[form.model] = {key: value for key, value in raw.items() if key != "model"}
    return Catalogue(source.name, entries)


def read_contract(source: SourceFile) -> Contract:
    """Reads a file with one contract, with its full name, as it is registered.

    Raises:
        RefusedFileError: With the place and the reason.
    """
    form = validated(source, NamedContractForm)
    contract = contract_from(form, form.name, version=form.version)
    check(source, (), form, contract)
    return contract


def check(source: SourceFile, where: Path, form: ContractForm, contract: Contract) -> None:
    """Checks what must hold in `contract`, whose `form` stands at `where`.

    Raises:
        RefusedFileError: With the place and the reason.
    """
    if Operation.CHAT in contract.capabilities.operations:
        _check_rates(source, where, form)
    for violation in violations_of(contract):
        with source.blamed():
            raise source.located.wrong((*where, *written_path(violation.path)), violation.description)


def _check_rates(source: SourceFile, where: Path, form: ContractForm) -> None:
    """Refuses a price of a chat that leaves out a rate: what is left out must not pass for free."""
    for index, price in enumerate(form.prices):
        for section, rates in (((), price), (("long_context",), price.long_context)):
            for kind in ("input", "output"):
                if rates is not None and kind not in rates.model_fields_set:
                    with source.blamed():
                        place = (*where, "prices", index, *section, kind)
                        raise source.located.wrong(place, "is missing; write 0 for what is free")


def contract_from(form: ContractForm, name: str, *, version: int = 1, needs_auth: bool = False) -> Contract:
    """The contract in `form`. Not checked: see `check`."""
    return Contract(
        name=name,
        version=version,
        owner=form.owner,
        tags=frozenset(form.tags),
        needs_auth=needs_auth,
        capabilities=_capabilities(form),
        guarantees=Guarantees(
            first_token_p50_ms=form.guarantees.first_token_p50_ms,
            first_token_p95_ms=form.guarantees.first_token_p95_ms,
            tokens_per_second=form.guarantees.tokens_per_second,
            availability_ppm=form.guarantees.availability,
            deterministic=form.guarantees.deterministic,
        ),
        constraints=Constraints(
            requests_per_minute=form.constraints.requests_per_minute,
            tokens_per_minute=form.constraints.tokens_per_minute,
            max_payload_bytes=form.constraints.max_payload_bytes,
            windows=tuple(_window(window) for window in form.constraints.windows),
        ),
        privacy=_privacy(form),
        prices=tuple(_price(price) for price in form.prices),
        quality=Quality(form.quality.default, dict(form.quality.by_task), form.quality.source),
        traits=dict(form.traits),
        demonstration=form.demonstration,
    )


def _capabilities(form: ContractForm) -> Capabilities:
    given = form.capabilities
    return Capabilities(
        operations=frozenset(given.operations),
        input_modalities=frozenset(given.input),
        output_modalities=frozenset(given.output),
        tool_calling=given.tool_calling,
        json_schema=given.json_schema,
        streaming=given.streaming,
        context_length=given.context_length,
        max_output_tokens=given.max_output_tokens,
        dimensions=given.dimensions,
        languages=frozenset(given.languages),
    )


def _window(form: WindowForm) -> TimeWindow:
    return TimeWindow(frozenset(_WEEKDAYS.index(day) for day in form.weekdays), form.start, form.end)


def _privacy(form: ContractForm) -> Privacy:
    given = form.privacy
    return Privacy(
        clearance=DataClass(_CLEARANCES.index(given.clearance)),
        regions=frozenset(given.regions),
        retention_days=given.retention_days,
        trains_on_data=given.trains_on_data,
        on_premises=given.on_premises,
        encrypted=given.encrypted is True,
        certifications=frozenset(given.certifications),
    )


def _price(form: PriceForm) -> Price:
    return Price(
        effective_date=form.effective_date,
        rates=_rates(form),
        long_context_tokens=form.long_context.above_tokens if form.long_context else 0,
        long_context_rates=_rates(form.long_context) if form.long_context else None,
        per_request=form.per_request,
        source=form.source,
    )


def _rates(form: RatesForm) -> Rates:
    return Rates(form.input, form.output, form.cached_input, form.cache_write)
