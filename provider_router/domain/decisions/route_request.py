"""What the decision engine knows of a request: features, never its text."""

from __future__ import annotations

from enum import StrEnum

from provider_router.domain.contracts.contract import DataClass, Modality, Operation, TraitValue
from shared.value import value


class Comparison(StrEnum):
    """How a trait is compared. Order comparisons hold between integers alone."""

    EQUAL = "eq"
    NOT_EQUAL = "ne"
    LESS = "lt"
    AT_MOST = "le"
    GREATER = "gt"
    AT_LEAST = "ge"
    IN = "in"


@value
class TraitConstraint:
    """A constraint on one trait. A service without the trait, or with one of another type, does not satisfy it.

    Attributes:
        trait: The trait's name.
        comparison: How.
        values: One value; any number for `IN`.
    """

    trait: str
    comparison: Comparison
    values: tuple[TraitValue, ...]


@value
class Caller:
    """Who asks. `key_id` names the API key, and is never the key."""

    org_id: str
    user_id: str
    key_id: str = ""
    roles: tuple[str, ...] = ()


@value
class Estimate:
    """What the estimator thinks of a request.

    Attributes:
        task_class: One of `domain.task.TASK_CLASSES`.
        confidence_ppm: How sure it is of the task class.
        complexity_ppm: 0 for trivial, 1_000_000 for as hard as it gets.
        method: Which estimator said so, with its version: `features/1` or `features+embedding/1`.
    """

    task_class: str = "general"
    confidence_ppm: int = 0
    complexity_ppm: int = 0
    method: str = ""


@value
class RouteRequest:
    """The features of one request, as a decision and its record hold them.

    Attributes:
        caller: Who asks.
        operation: What for.
        model: `provider/model` when the caller names one; empty otherwise.
        provider: A provider when the caller names one; empty otherwise.
        chain: `provider/model` names in the operator's order, when that is to be followed; empty for free choice.
        tier: `fast`, `balanced`, `deep` or another one of the rules; empty for the rules' default.
        input_modalities: That the request holds.
        output_modalities: That the answer must hold.
        needs_tools: Whether it offers tools.
        needs_json_schema: Whether the answer must follow a schema.
        language: BCP 47 primary language when known; empty otherwise.
        parameters: Optional parameters that it sets, see `ChatRequest.parameters`.
        input_tokens: Of the prompt, estimated.
        max_output_tokens: The caller's limit; 0 for none.
        output_tokens: Expected of the answer, estimated.
        payload_bytes: Of the request.
        data_class: How sensitive its data is.
        residency: Regions in which it may be processed; empty for any.
        traits: Constraints on traits; all must hold.
        max_cost_micro_usd: Most that the answer may be expected to cost; None for no limit.
        budget_left_micro_usd: What the caller's tightest budget has left; None without a budget.
        deadline_ms: Time left to the caller's deadline; None without one.
        affinity: The service that answered this conversation last; empty for none.
        estimate: Of the task.
    """

    caller: Caller
    operation: Operation = Operation.CHAT
    model: str = ""
    provider: str = ""
    chain: tuple[str, ...] = ()
    tier: str = ""
    input_modalities: frozenset[Modality] = frozenset({Modality.TEXT})
    output_modalities: frozenset[Modality] = frozenset({Modality.TEXT})
    needs_tools: bool = False
    needs_json_schema: bool = False
    language: str = ""
    parameters: frozenset[str] = frozenset()
    input_tokens: int = 0
    max_output_tokens: int = 0
    output_tokens: int = 0
    payload_bytes: int = 0
    data_class: DataClass = DataClass.INTERNAL
    residency: frozenset[str] = frozenset()
    traits: tuple[TraitConstraint, ...] = ()
    max_cost_micro_usd: int | None = None
    budget_left_micro_usd: int | None = None
    deadline_ms: int | None = None
    affinity: str = ""
    estimate: Estimate = Estimate()
