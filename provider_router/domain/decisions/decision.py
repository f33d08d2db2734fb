"""A decision: which service answers, why it and no other, what may be promised, and how to run it.

Everything in it follows from the request's features, the registry's snapshot, the rules, the system's state and the
time; `use_cases` give it an id and write it down.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from provider_router.domain.contracts.contract import DataClass
from provider_router.domain.decisions.route_request import RouteRequest
from shared.value import value

FORMULA = 2
"""What decisions are made by. A record names its formula and is verified by it.

1: a service whose price is unknown could be called within a budget, and its expected cost was recorded as 0; requests
   had no `parameters`.
2: that service is for requests without a limit of money, and its expected cost is None.
"""


class Step(StrEnum):
    """The steps of a decision, in their order."""

    FIELD_STATE = "field_state"
    MATCH = "match"
    RULES = "rules"
    SECURITY = "security"
    TRAITS = "traits"
    SCORE = "score"
    GUARANTEES = "guarantees"
    CONTROL = "control"
    TRACE = "trace"


class Rejected(StrEnum):
    """Why a service is no candidate. Each reason belongs to one step."""

    # match
    OPERATION = "OPERATION"
    MODALITY_IN = "MODALITY_IN"
    MODALITY_OUT = "MODALITY_OUT"
    TOOL_CALLING = "TOOL_CALLING"
    JSON_SCHEMA = "JSON_SCHEMA"
    LANGUAGE = "LANGUAGE"
    PARAMETER = "PARAMETER"
    CONTEXT_LENGTH = "CONTEXT_LENGTH"
    PAYLOAD_SIZE = "PAYLOAD_SIZE"
    TIME_WINDOW = "TIME_WINDOW"
    DEADLINE = "DEADLINE"
    COST_LIMIT = "COST_LIMIT"
    BUDGET_LEFT = "BUDGET_LEFT"
    PRICE_UNKNOWN = "PRICE_UNKNOWN"
    NOT_THE_MODEL_ASKED_FOR = "NOT_THE_MODEL_ASKED_FOR"
    NOT_THE_PROVIDER_ASKED_FOR = "NOT_THE_PROVIDER_ASKED_FOR"
    # rules
    FORBIDDEN_BY_RULE = "FORBIDDEN_BY_RULE"
    NOT_PERMITTED_BY_RULE = "NOT_PERMITTED_BY_RULE"
    REQUIRED_BY_RULE = "REQUIRED_BY_RULE"
    NOT_IN_CHAIN = "NOT_IN_CHAIN"
    # security
    NOT_CONFIGURED = "NOT_CONFIGURED"
    KEY_REFUSED = "KEY_REFUSED"
    CLEARANCE = "CLEARANCE"
    RESIDENCY = "RESIDENCY"
    # traits
    TRAIT = "TRAIT"


@value
class Rejection:
    """A service that is no candidate: at which step it fell, and why.

    Attributes:
        service: `provider/model`.
        step: The first step that it did not pass.
        reason: Why.
        detail: What would have had to hold, or which rules decided; from contracts and rules, never from a request.
    """

    service: str
    step: Step
    reason: Rejected
    detail: str = ""


TERMS = ("quality", "reward", "fit", "affinity", "preference", "order", "cost", "latency", "risk")
"""The terms of the utility, in the order in which `Ranked.terms` has them. The last three count against a service."""


@value
class Ranked:
    """A candidate with its score. `score` is the sum of `terms`; both in millionths times the weight's thousandths.

    Attributes:
        service: `provider/model`.
        score: Higher is better; equal scores are ordered by name.
        terms: Weighted, one for each of `TERMS`; penalties are negative.
        expected_cost_micro_usd: Of the whole answer; None when its price is unknown.
        expected_first_token_ms: From promise and measurement.
        expected_total_ms: Of the whole answer.
    """

    service: str
    score: int
    terms: tuple[int, ...]
    expected_cost_micro_usd: int | None
    expected_first_token_ms: int
    expected_total_ms: int


@value
class Promise:
    """What can be promised to the caller along the fallback chain; None where nothing follows from the contracts.

    Attributes:
        availability_ppm: That some link answers.
        first_token_p95_ms: Worst case over the chain.
        max_cost_micro_usd: Upper bound over every attempt of the chain.
        clearance: The least of the chain.
        regions: Where data may be processed; None when a link does not say.
        retention_days: The longest; None when a link does not say.
        may_train: Whether a link may train on the data.
        on_premises: Whether every link is on the operator's machines.
        deterministic: Whether the same request gives the same answer.
    """

    availability_ppm: int | None = None
    first_token_p95_ms: int | None = None
    max_cost_micro_usd: int | None = None
    clearance: DataClass = DataClass.PUBLIC
    regions: frozenset[str] | None = None
    retention_days: int | None = None
    may_train: bool = True
    on_premises: bool = False
    deterministic: bool = False


@value
class Link:
    """One link of the fallback chain.

    Attributes:
        service: `provider/model`.
        tries: How often it may be tried before the next link, at least 1.
        first_token_timeout_ms: For each try.
    """

    service: str
    tries: int
    first_token_timeout_ms: int


@value
class Control:
    """What to do at run time.

    Attributes:
        chain: The attempt order.
        max_attempts: Over the whole chain, hedges included.
        total_timeout_ms: For the whole call.
        idle_timeout_ms: Between two pieces.
        hedge_after_ms: When to start the next link beside a silent one; 0 for never.
        backoff_base_ms: Of the full-jitter pause before another try of the same service.
        backoff_cap_ms: The longest pause.
    """

    chain: tuple[Link, ...] = ()
    max_attempts: int = 0
    total_timeout_ms: int = 0
    idle_timeout_ms: int = 0
    hedge_after_ms: int = 0
    backoff_base_ms: int = 0
    backoff_cap_ms: int = 0


@value
class Decision:
    """The outcome of the nine steps. Without a candidate `choice` is empty, and `rejections` say why.

    Attributes:
        time: The clock that the decision was made by, UTC.
        request: Its features.
        registry_digest: Of the snapshot of contracts.
        rules_digest: Of the platform's and the organisation's rules together.
        state_digest: Of the system's state.
        tier: Whose weights were used.
        rejections: By service name.
        ranked: Best first.
        choice: The first of `ranked`; empty for none.
        promise: What can be promised.
        control: What to do.
        formula: By which it was made.
    """

    time: datetime
    request: RouteRequest
    registry_digest: str
    rules_digest: str
    state_digest: str
    tier: str
    rejections: tuple[Rejection, ...]
    ranked: tuple[Ranked, ...]
    choice: str
    promise: Promise
    control: Control
    formula: int = FORMULA
