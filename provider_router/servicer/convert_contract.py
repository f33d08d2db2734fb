"""Between the contract's messages and the domain."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date

from protos.gen.nexus.router.v1 import contract_pb2 as pb
from provider_router.domain.contracts.contract import (
    ANY_LANGUAGE,
    PPM,
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
)
from provider_router.domain.contracts.contract_checks import violations_of
from provider_router.servicer.contract_fields import field_of, refused
from provider_router.servicer.convert_enums import (
    DATA_CLASSES,
    MODALITIES,
    OPERATIONS,
    data_class_of,
    trait_value,
    trait_value_of,
)
from shared.errors import FieldViolation

_OPERATIONS = {wire: domain for domain, wire in OPERATIONS.items()}
_MODALITIES = {wire: domain for domain, wire in MODALITIES.items()}
_END_OF_DAY = 1440
_TRAINING: Mapping[bool | None, pb.Training.ValueType] = {
    None: pb.TRAINING_NOT_STATED,
    False: pb.TRAINING_NO,
    True: pb.TRAINING_YES,
}
_TRAINS = {wire: said for said, wire in _TRAINING.items()}


def contract_of(message: pb.Contract, org_id: str = "") -> Contract:
    """The contract of a message, checked, as one of `org_id`.

    What the registry sets (the organisation, whether a key is needed, whether it is a demonstration) is not read.

    Raises:
        InvalidInput: CONTRACT_INVALID, with every field that is wrong.
    """
    form = _form_violations(message)
    if form:
        raise refused(form)
    contract = Contract(
        name=message.name,
        version=message.version or 1,
        owner=message.owner,
        org_id=org_id,
        tags=frozenset(message.tags),
        capabilities=_capabilities_of(message.capabilities),
        guarantees=_guarantees_of(message.guarantees),
        constraints=_constraints_of(message.constraints),
        privacy=_privacy_of(message.privacy) if message.HasField("privacy") else Privacy(),
        prices=tuple(_price_of(price) for price in message.prices),
        quality=_quality_of(message.quality),
        traits={trait.name: trait_value_of(trait.value) for trait in message.traits},
    )
    found = [
        FieldViolation(field_of(violation.path, message), violation.description)
        for violation in violations_of(contract)
    ]
    if found:
        raise refused(found)
    return contract


def contract_message(contract: Contract) -> pb.Contract:
    """A contract as a message. What is a set there stands in order here."""
    return pb.Contract(
        name=contract.name,
        version=contract.version,
        owner=contract.owner,
        org_id=contract.org_id,
        tags=sorted(contract.tags),
        capabilities=_capabilities(contract.capabilities),
        guarantees=_guarantees(contract.guarantees),
        constraints=_constraints(contract.constraints),
        privacy=_privacy(contract.privacy),
        prices=[_price(price) for price in contract.prices],
        quality=_quality(contract.quality),
        traits=[pb.Trait(name=name, value=trait_value(contract.traits[name])) for name in sorted(contract.traits)],
        demonstration=contract.demonstration,
        needs_auth=contract.needs_auth,
    )


def _form_violations(message: pb.Contract) -> list[FieldViolation]:
    """What the domain's types cannot hold: days that are none, and names that stand twice."""
    found: list[FieldViolation] = []
    for index, price in enumerate(message.prices):
        if _day(price.effective_date) is None:
            found.append(FieldViolation(f"contract.prices[{index}].effective_date", "must be a day, YYYY-MM-DD"))
    traits = [trait.name for trait in message.traits]
    tasks = [quality.task_class for quality in message.quality.by_task]
    for where, names in (("traits", traits), ("quality.by_task", tasks)):
        found += [
            FieldViolation(f"contract.{where}[{index}]", "stands twice")
            for index, name in enumerate(names)
            if name in names[:index]
        ]
    return found


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _capabilities_of(message: pb.Capabilities) -> Capabilities:
    return Capabilities(
        operations=frozenset(_OPERATIONS[each] for each in message.operations),
        input_modalities=_modalities_of(message.input_modalities),
        output_modalities=_modalities_of(message.output_modalities),
        tool_calling=message.tool_calling,
        json_schema=message.json_schema,
        streaming=message.streaming,
        context_length=message.context_length,
        max_output_tokens=message.max_output_tokens,
        dimensions=message.dimensions,
        languages=frozenset(message.languages) or frozenset({ANY_LANGUAGE}),
    )


def _capabilities(capabilities: Capabilities) -> pb.Capabilities:
    return pb.Capabilities(
        operations=_operations(capabilities.operations),
        input_modalities=_modalities(capabilities.input_modalities),
        output_modalities=_modalities(capabilities.output_modalities),
        tool_calling=capabilities.tool_calling,
        json_schema=capabilities.json_schema,
        streaming=capabilities.streaming,
        context_length=capabilities.context_length,
        max_output_tokens=capabilities.max_output_tokens,
        dimensions=capabilities.dimensions,
        languages=sorted(capabilities.languages - {ANY_LANGUAGE}),
    )


def _operations(operations: Iterable[Operation]) -> list[pb.Operation.ValueType]:
    return sorted(OPERATIONS[each] for each in operations)


def _modalities(modalities: Iterable[Modality]) -> list[pb.Modality.ValueType]:
    return sorted(MODALITIES[each] for each in modalities)


def _modalities_of(values: Iterable[pb.Modality.ValueType]) -> frozenset[Modality]:
    return frozenset(_MODALITIES[each] for each in values) or frozenset({Modality.TEXT})


def _guarantees_of(message: pb.Guarantees) -> Guarantees:
    return Guarantees(
        first_token_p50_ms=message.first_token_p50_ms,
        first_token_p95_ms=message.first_token_p95_ms,
        tokens_per_second=message.tokens_per_second,
        availability_ppm=message.availability_ppm,
        deterministic=message.deterministic,
    )


def _guarantees(guarantees: Guarantees) -> pb.Guarantees:
    return pb.Guarantees(
        first_token_p50_ms=guarantees.first_token_p50_ms,
        first_token_p95_ms=guarantees.first_token_p95_ms,
        tokens_per_second=guarantees.tokens_per_second,
        availability_ppm=guarantees.availability_ppm,
        deterministic=guarantees.deterministic,
    )


def _constraints_of(message: pb.Constraints) -> Constraints:
    windows = tuple(
        TimeWindow(
            weekdays=frozenset(window.weekdays) or frozenset(range(7)),
            start_minute=window.start_minute,
            end_minute=window.end_minute or _END_OF_DAY,
        )
        for window in message.windows
    )
    return Constraints(message.requests_per_minute, message.tokens_per_minute, message.max_payload_bytes, windows)


def _constraints(constraints: Constraints) -> pb.Constraints:
    return pb.Constraints(
        requests_per_minute=constraints.requests_per_minute,
        tokens_per_minute=constraints.tokens_per_minute,
        max_payload_bytes=constraints.max_payload_bytes,
        windows=[
            pb.TimeWindow(
                weekdays=sorted(window.weekdays), start_minute=window.start_minute, end_minute=window.end_minute
            )
            for window in constraints.windows
        ],
    )


def _privacy_of(message: pb.Privacy) -> Privacy:
    return Privacy(
        clearance=data_class_of(message.clearance) or DataClass.PUBLIC,
        regions=frozenset(message.regions),
        retention_days=message.retention_days if message.HasField("retention_days") else None,
        # Who does not know the newer field says yes by the older one; no is said by the newer one alone.
        trains_on_data=_TRAINS.get(message.training, message.trains_on_data or None),
        on_premises=message.on_premises,
        encrypted=message.encrypted,
        certifications=frozenset(message.certifications),
    )


def _privacy(privacy: Privacy) -> pb.Privacy:
    return pb.Privacy(
        clearance=DATA_CLASSES[privacy.clearance],
        regions=sorted(privacy.regions),
        retention_days=privacy.retention_days,
        trains_on_data=privacy.may_train,
        on_premises=privacy.on_premises,
        encrypted=privacy.encrypted,
        certifications=sorted(privacy.certifications),
        training=_TRAINING[privacy.trains_on_data],
    )


def _price_of(message: pb.Price) -> Price:
    return Price(
        effective_date=date.fromisoformat(message.effective_date),
        rates=_rates_of(message.rates),
        long_context_tokens=message.long_context_tokens,
        long_context_rates=_rates_of(message.long_context_rates) if message.HasField("long_context_rates") else None,
        per_request=message.per_request_micro_usd,
        source=message.source,
    )


def _price(price: Price) -> pb.Price:
    return pb.Price(
        effective_date=price.effective_date.isoformat(),
        rates=_rates(price.rates),
        long_context_tokens=price.long_context_tokens,
        long_context_rates=None if price.long_context_rates is None else _rates(price.long_context_rates),
        per_request_micro_usd=price.per_request,
        source=price.source,
    )


def _rates_of(message: pb.Rates) -> Rates:
    return Rates(
        input=message.input_micro_usd,
        output=message.output_micro_usd,
        cached_input=message.cached_input_micro_usd if message.HasField("cached_input_micro_usd") else None,
        cache_write=message.cache_write_micro_usd if message.HasField("cache_write_micro_usd") else None,
    )


def _rates(rates: Rates) -> pb.Rates:
    return pb.Rates(
        input_micro_usd=rates.input,
        output_micro_usd=rates.output,
        cached_input_micro_usd=rates.cached_input,
        cache_write_micro_usd=rates.cache_write,
    )


def _quality_of(message: pb.Quality) -> Quality:
    default = message.default_ppm if message.HasField("default_ppm") else PPM // 2
    return Quality(default, {each.task_class: each.quality_ppm for each in message.by_task}, message.source)


def _quality(quality: Quality) -> pb.Quality:
    return pb.Quality(
        default_ppm=quality.default,
        by_task=[
            pb.TaskQuality(task_class=task, quality_ppm=quality.by_task[task]) for task in sorted(quality.by_task)
        ],
        source=quality.source,
    )
