"""Contracts: what a service promises, needs and may see. Every model is a service with a contract.

A contract is data that somebody wrote, never a measurement: what was observed is in `service_state`. Numbers are
integers with their unit in the name, so that a decision over them is exact and replays to the bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import IntEnum, StrEnum
from typing import TypeAlias

PPM = 1_000_000
"""Shares and scores are integers in millionths (parts per million): 1_000_000 is all of it."""

ANY_LANGUAGE = "*"
UNKNOWN_PRICE = "unknown"
"""The price version of a call whose price nobody knows."""
TraitValue: TypeAlias = bool | int | str


class Operation(StrEnum):
    """What a service does."""

    CHAT = "chat"
    EMBED = "embed"
    TRANSCRIBE = "transcribe"
    RERANK = "rerank"
    IMAGE = "image"


class Modality(StrEnum):
    """What goes in and comes out."""

    TEXT = "text"
    IMAGE = "image"
    AUDIO = "audio"
    VIDEO = "video"
    FILE = "file"


class DataClass(IntEnum):
    """How sensitive data is. A service that is cleared for one class is cleared for every lower one."""

    PUBLIC = 0
    INTERNAL = 1
    CONFIDENTIAL = 2
    RESTRICTED = 3


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a service can do.

    Attributes:
        operations: At least one.
        input_modalities: What a request may hold.
        output_modalities: What an answer may hold.
        tool_calling: Whether it calls tools natively.
        json_schema: Whether its answers can be bound to a JSON Schema.
        streaming: Whether it answers piece by piece.
        context_length: Tokens of prompt and answer together; 0 when unknown.
        max_output_tokens: Most tokens that it generates; 0 when unknown.
        dimensions: Length of its embeddings; 0 when unknown.
        languages: BCP 47 primary languages; `*` for any.
    """

    operations: frozenset[Operation]
    input_modalities: frozenset[Modality] = frozenset({Modality.TEXT})
    output_modalities: frozenset[Modality] = frozenset({Modality.TEXT})
    tool_calling: bool = False
    json_schema: bool = False
    streaming: bool = True
    context_length: int = 0
    max_output_tokens: int = 0
    dimensions: int = 0
    languages: frozenset[str] = frozenset({ANY_LANGUAGE})


@dataclass(frozen=True, slots=True)
class Guarantees:
    """What a service promises; 0 where it promises nothing.

    Attributes:
        first_token_p50_ms: Median time to the first piece of an answer.
        first_token_p95_ms: 95th percentile of it.
        tokens_per_second: Generated tokens a second, median.
        availability_ppm: Share of calls that succeed.
        deterministic: Whether the same request gives the same answer.
    """

    first_token_p50_ms: int = 0
    first_token_p95_ms: int = 0
    tokens_per_second: int = 0
    availability_ppm: int = 0
    deterministic: bool = False


@dataclass(frozen=True, slots=True)
class TimeWindow:
    """When a service may be used: from `start_minute` to before `end_minute` of the UTC day, on some weekdays.

    Attributes:
        weekdays: 0 is Monday.
        start_minute: 0 to 1439.
        end_minute: 1 to 1440, after `start_minute`.
    """

    weekdays: frozenset[int] = frozenset(range(7))
    start_minute: int = 0
    end_minute: int = 1440


@dataclass(frozen=True, slots=True)
class Constraints:
    """What a service asks of its callers; 0 and empty for no constraint.

    Attributes:
        requests_per_minute: Of all callers together.
        tokens_per_minute: Of all callers together, prompt and answer.
        max_payload_bytes: Of one request.
        windows: When it may be used; empty for always.
    """

    requests_per_minute: int = 0
    tokens_per_minute: int = 0
    max_payload_bytes: int = 0
    windows: tuple[TimeWindow, ...] = ()


@dataclass(frozen=True, slots=True)
class Privacy:
    """What a service may see and what it does with it. What nobody says is never a good claim.

    Attributes:
        clearance: The most sensitive class of data that it may see.
        regions: Where data is processed, as lower-case codes such as `us` or `eu`; empty when unknown.
        retention_days: How long data is kept; None when unknown.
        trains_on_data: Whether data is used for training; None when unknown.
        on_premises: Whether data is known to stay on machines of the operator.
        encrypted: Whether data is known to be encrypted on the way, or to stay on one machine.
        certifications: Lower-case names, such as `soc2`, `iso27001`.
    """

    clearance: DataClass = DataClass.PUBLIC
    regions: frozenset[str] = frozenset()
    retention_days: int | None = None
    trains_on_data: bool | None = None
    on_premises: bool = False
    encrypted: bool = False
    certifications: frozenset[str] = frozenset()

    @property
    def may_train(self) -> bool:
        """Whether data may be used for training: also where nobody says."""
        return self.trains_on_data is not False


@dataclass(frozen=True, slots=True)
class Rates:
    """Prices in millionths of a US dollar per million tokens.

    Attributes:
        input: Prompt tokens.
        output: Generated tokens, reasoning included.
        cached_input: Prompt tokens read from the provider's cache; None where they cost what others cost.
        cache_write: Prompt tokens written to the provider's cache; None where they cost what others cost.
    """

    input: int = 0
    output: int = 0
    cached_input: int | None = None
    cache_write: int | None = None


@dataclass(frozen=True, slots=True)
class Price:
    """What a service costs from a day on.

    Attributes:
        effective_date: The first day (UTC) on which it holds.
        rates: For a call.
        long_context_tokens: Prompt tokens above which `long_context_rates` hold for the whole call; 0 for never.
        long_context_rates: None without `long_context_tokens`.
        per_request: Millionths of a US dollar for each call that the provider answered.
        source: Where the price was published.
    """

    effective_date: date
    rates: Rates
    long_context_tokens: int = 0
    long_context_rates: Rates | None = None
    per_request: int = 0
    source: str = ""


@dataclass(frozen=True, slots=True)
class Quality:
    """How good a service is believed to be before anything was learned, in millionths, by task class.

    Attributes:
        default: For task classes that are not listed.
        by_task: By task class.
        source: What the belief rests on.
    """

    default: int = PPM // 2
    by_task: Mapping[str, int] = field(default_factory=dict[str, int])
    source: str = ""

    def of(self, task_class: str) -> int:
        """The belief for `task_class`."""
        return self.by_task.get(task_class, self.default)


@dataclass(frozen=True, slots=True)
class Contract:
    """The contract of one service. Compared by value; `domain/contracts/contract_document.py` has its canonical form.

    Attributes:
        name: Unique, `provider/model`.
        version: Counts up with each change that its owner makes; at least 1.
        owner: Who answers for it.
        org_id: The organisation that may use it; empty for every one.
        tags: Free words for rules.
        needs_auth: Whether its provider asks for a key.
        capabilities: What it can do.
        guarantees: What it promises.
        constraints: What it asks of callers.
        privacy: What it may see.
        prices: By effective date, oldest first; empty where nobody says. Then a service on the operator's machines is
            free, and of any other the price is unknown.
        quality: What is believed of it.
        traits: Free facts, typed, for constraints of callers and rules.
        demonstration: Whether it ships with Nexus to show that everything works.
    """

    name: str
    capabilities: Capabilities
    version: int = 1
    owner: str = ""
    org_id: str = ""
    tags: frozenset[str] = frozenset()
    needs_auth: bool = False
    guarantees: Guarantees = Guarantees()
    constraints: Constraints = Constraints()
    privacy: Privacy = Privacy()
    prices: tuple[Price, ...] = ()
    quality: Quality = field(default_factory=Quality)
    traits: Mapping[str, TraitValue] = field(default_factory=dict[str, TraitValue])
    demonstration: bool = False

    @property
    def provider(self) -> str:
        """The name of the provider that serves it."""
        return self.name.partition("/")[0]

    @property
    def model(self) -> str:
        """What the provider calls it."""
        return self.name.partition("/")[2]

    def price_on(self, day: date) -> Price | None:
        """The price in force on `day`: the newest that is not of a later day; None without one."""
        for price in reversed(self.prices):
            if price.effective_date <= day:
                return price
        return None

    def price_is_unknown_on(self, day: date) -> bool:
        """Whether nobody knows what it costs on `day`. Without a price, only the operator's own machines are free."""
        return not self.privacy.on_premises and self.price_on(day) is None

    def price_version(self, day: date) -> str:
        """Which price holds on `day`: `provider/model@date`; without one UNKNOWN_PRICE, or empty where it is free."""
        price = self.price_on(day)
        if price is None:
            return UNKNOWN_PRICE if self.price_is_unknown_on(day) else ""
        return f"{self.name}@{price.effective_date.isoformat()}"
