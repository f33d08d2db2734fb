"""The form of routing rules in YAML: `routing/platform.yaml` and `routing/organisations/<org_id>.yaml`."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, StrictBool, StrictInt, StringConstraints, model_validator

from provider_router.adapters.yaml_file.scalars import MicroUsd, Ppm, Strict, TraitForm
from provider_router.domain.contracts.contract import PPM
from provider_router.domain.tasks.task import TASK_CLASSES

_THOUSANDTHS = 1000
_MOST_WEIGHT = 10


class DataClassName(StrEnum):
    """A class of data, least sensitive first."""

    PUBLIC = "public"
    INTERNAL = "internal"
    CONFIDENTIAL = "confidential"
    RESTRICTED = "restricted"


def _decimal(value: Any) -> Decimal:
    """A finite number; YAML numbers with a point come as text, so that none is rounded."""
    try:
        number = Decimal(str(value)) if isinstance(value, int | str) and not isinstance(value, bool) else Decimal("nan")
    except InvalidOperation:
        number = Decimal("nan")
    if not number.is_finite():
        raise ValueError("must be a number such as 0.5")
    return number


def _whole(number: Decimal, unit: int, places: int) -> int:
    scaled = number * unit
    if scaled != int(scaled):
        raise ValueError(f"must have at most {places} decimals")
    return int(scaled)


def _weight(value: Any) -> int:
    number = _decimal(value)
    if not 0 <= number <= _MOST_WEIGHT:
        raise ValueError(f"must be from 0 to {_MOST_WEIGHT}")
    return _whole(number, _THOUSANDTHS, 3)


def _strength(value: Any) -> int:
    number = _decimal(value)
    if not -1 <= number <= 1:
        raise ValueError("must be from -1 to 1")
    return _whole(number, PPM, 6)


def _task_class(value: str) -> str:
    if value not in TASK_CLASSES:
        raise ValueError(f"must be one of {', '.join(TASK_CLASSES)}")
    return value


RuleId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_.-]{0,62}$")]
TierName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,30}$")]
Word = Annotated[str, StringConstraints(min_length=1, max_length=128)]
TaskClass = Annotated[str, AfterValidator(_task_class)]
Weight = Annotated[int, BeforeValidator(_weight)]
"""0 to 10 in the file, thousandths afterwards."""
Strength = Annotated[int, BeforeValidator(_strength)]
"""-1 to 1 in the file, millionths afterwards."""
Milliseconds = Annotated[StrictInt, Field(ge=1, le=86_400_000)]
Priority = Annotated[StrictInt, Field(ge=-1_000_000, le=1_000_000)]


class WhenForm(Strict):
    """When a rule applies; complexities are shares from 0 to 1."""

    tiers: tuple[TierName, ...] = ()
    task_classes: tuple[TaskClass, ...] = ()
    data_classes: tuple[DataClassName, ...] = ()
    roles: tuple[Word, ...] = ()
    min_complexity: Ppm = 0
    max_complexity: Ppm = PPM
    needs_tools: StrictBool | None = None


class ServicesForm(Strict):
    """Which services a rule speaks of."""

    names: tuple[Word, ...] = ()
    tags: tuple[Word, ...] = ()
    traits: dict[Word, TraitForm] = Field(default_factory=dict[str, Any])
    on_premises: StrictBool | None = None
    demonstration: StrictBool | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("needs names, tags, traits, on_premises or demonstration")
        return self


class RequirementForm(Strict):
    """While `when` holds, only `services` are candidates."""

    id: RuleId
    priority: Priority = 0
    when: WhenForm = WhenForm()
    services: ServicesForm


class PreferenceForm(RequirementForm):
    """While `when` holds, `services` gain or lose."""

    strength: Strength


class WeightsForm(Strict):
    """Weights; those that are left out are taken from the tier beneath."""

    quality: Weight | None = None
    reward: Weight | None = None
    fit: Weight | None = None
    affinity: Weight | None = None
    preference: Weight | None = None
    cost: Weight | None = None
    latency: Weight | None = None
    risk: Weight | None = None


class TierForm(Strict):
    """A tier; what is left out is taken from the tier beneath."""

    weights: WeightsForm = WeightsForm()
    cost_reference_usd: Annotated[MicroUsd, Field(ge=1)] | None = None
    latency_reference_ms: Milliseconds | None = None
    min_quality: Ppm | None = None
    max_links: Annotated[StrictInt, Field(ge=1, le=16)] | None = None
    tries: Annotated[StrictInt, Field(ge=1, le=10)] | None = None
    first_token_timeout_ms: Milliseconds | None = None
    idle_timeout_ms: Milliseconds | None = None
    total_timeout_ms: Milliseconds | None = None
    hedge: StrictBool | None = None


class DefaultsForm(Strict):
    """What holds for requests that say nothing."""

    tier: TierName | None = None
    data_class: DataClassName | None = None


class RulesFile(Strict):
    """A whole file."""

    version: Literal[1]
    defaults: DefaultsForm = DefaultsForm()
    policies: Annotated[str, Field(max_length=262_144)] = ""
    requirements: Annotated[tuple[RequirementForm, ...], Field(max_length=500)] = ()
    preferences: Annotated[tuple[PreferenceForm, ...], Field(max_length=500)] = ()
    tiers: Annotated[dict[TierName, TierForm], Field(max_length=32)] = Field(default_factory=dict[str, TierForm])
