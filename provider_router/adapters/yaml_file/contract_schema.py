"""The form of a contract in YAML: types alone. What must hold besides is in `domain/contracts/contract_checks.py`."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Literal

from pydantic import Field, StrictBool, StrictInt

from provider_router.adapters.yaml_file.scalars import Day, MicroUsd, MinuteOfDay, ModelName, Ppm, Strict, TraitForm
from provider_router.domain.contracts.contract import ANY_LANGUAGE, PPM, Modality, Operation


class Weekday(StrEnum):
    """A day, Monday first."""

    MON = "mon"
    TUE = "tue"
    WED = "wed"
    THU = "thu"
    FRI = "fri"
    SAT = "sat"
    SUN = "sun"


class Clearance(StrEnum):
    """A class of data, least sensitive first."""

    PUBLIC = "public"
    INTERNAL = "internal"
    CONFIDENTIAL = "confidential"
    RESTRICTED = "restricted"


class CapabilitiesForm(Strict):
    """What a service can do."""

    operations: tuple[Operation, ...]
    input: tuple[Modality, ...] = (Modality.TEXT,)
    output: tuple[Modality, ...] = (Modality.TEXT,)
    tool_calling: StrictBool = False
    json_schema: StrictBool = False
    streaming: StrictBool = True
    context_length: StrictInt = 0
    max_output_tokens: StrictInt = 0
    dimensions: StrictInt = 0
    languages: tuple[str, ...] = (ANY_LANGUAGE,)


class GuaranteesForm(Strict):
    """What a service promises; `availability` is a share, such as 0.999."""

    first_token_p50_ms: StrictInt = 0
    first_token_p95_ms: StrictInt = 0
    tokens_per_second: StrictInt = 0
    availability: Ppm = 0
    deterministic: StrictBool = False


class WindowForm(Strict):
    """When a service may be used, in UTC: `{weekdays: [mon, tue], from: "08:00", to: "18:00"}`."""

    weekdays: tuple[Weekday, ...] = tuple(Weekday)
    start: MinuteOfDay = Field(default=0, alias="from")
    end: MinuteOfDay = Field(default=1440, alias="to")


class ConstraintsForm(Strict):
    """What a service asks of its callers."""

    requests_per_minute: StrictInt = 0
    tokens_per_minute: StrictInt = 0
    max_payload_bytes: StrictInt = 0
    windows: tuple[WindowForm, ...] = ()


class PrivacyForm(Strict):
    """What a service may see and what it does with it; null where nobody says."""

    clearance: Clearance = Clearance.PUBLIC
    regions: tuple[str, ...] = ()
    retention_days: StrictInt | None = None
    trains_on_data: StrictBool | None = None
    on_premises: StrictBool = False
    encrypted: StrictBool | None = None
    certifications: tuple[str, ...] = ()


class RatesForm(Strict):
    """US dollars per million tokens."""

    input: MicroUsd = 0
    output: MicroUsd = 0
    cached_input: MicroUsd | None = None
    cache_write: MicroUsd | None = None


class LongContextForm(RatesForm):
    """The rates of calls whose prompt has more than `above_tokens` tokens."""

    above_tokens: StrictInt


class PriceForm(RatesForm):
    """A price and the day from which it holds; `per_request` is US dollars a call."""

    effective_date: Day = Field(alias="from")
    per_request: MicroUsd = 0
    long_context: LongContextForm | None = None
    source: str = ""


class QualityForm(Strict):
    """How good a service is believed to be, 0 to 1."""

    default: Ppm = PPM // 2
    by_task: dict[str, Ppm] = Field(default_factory=dict[str, int])
    source: str = ""


class ContractForm(Strict):
    """A contract without its name."""

    owner: str = ""
    tags: tuple[str, ...] = ()
    capabilities: CapabilitiesForm
    guarantees: GuaranteesForm = GuaranteesForm()
    constraints: ConstraintsForm = ConstraintsForm()
    privacy: PrivacyForm = PrivacyForm()
    prices: tuple[PriceForm, ...] = ()
    quality: QualityForm = QualityForm()
    traits: dict[str, TraitForm] = Field(default_factory=dict[str, Any])
    demonstration: StrictBool = False


class CatalogEntry(ContractForm):
    """A shipped contract: of a model, whichever provider serves it."""

    model: ModelName


class NamedContractForm(ContractForm):
    """A contract as it is registered: `name` is `provider/model`. `version` is that which an update replaces."""

    name: str
    version: StrictInt = 1


class CatalogFile(Strict):
    """A file of shipped contracts."""

    version: Literal[1]
    contracts: tuple[Any, ...]
