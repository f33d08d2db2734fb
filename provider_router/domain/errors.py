"""The closed set of reasons for which the router fails, each of one class of the taxonomy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum

from shared.errors import (
    AlreadyExists,
    DeadlineExceeded,
    FieldViolation,
    InvalidInput,
    NexusError,
    NotFound,
    PreconditionFailed,
    QuotaExceeded,
    StaleWrite,
    UpstreamDown,
)


class Reason(StrEnum):
    """Why an attempt, or a whole call, failed."""

    # The caller's fault: the same request never works with that model.
    MODEL_UNKNOWN = "MODEL_UNKNOWN"
    UNSUPPORTED_CAPABILITY = "UNSUPPORTED_CAPABILITY"
    CONTEXT_TOO_LONG = "CONTEXT_TOO_LONG"
    INVALID_SCHEMA = "INVALID_SCHEMA"
    INVALID_MESSAGES = "INVALID_MESSAGES"
    PROVIDER_REFUSED_REQUEST = "PROVIDER_REFUSED_REQUEST"
    TIER_UNKNOWN = "TIER_UNKNOWN"
    CONTRACT_INVALID = "CONTRACT_INVALID"
    PROVIDER_UNKNOWN = "PROVIDER_UNKNOWN"
    RULES_INVALID = "RULES_INVALID"
    PAGE_TOKEN_INVALID = "PAGE_TOKEN_INVALID"  # noqa: S105 - no secret
    TIME_RANGE_INVALID = "TIME_RANGE_INVALID"
    CONTRACT_EXISTS = "CONTRACT_EXISTS"
    CONTRACT_UNKNOWN = "CONTRACT_UNKNOWN"
    CONTRACT_CHANGED = "CONTRACT_CHANGED"
    CONTRACT_FROM_FILE = "CONTRACT_FROM_FILE"
    CONTRACT_LIMIT = "CONTRACT_LIMIT"
    REQUEST_ID_REUSED = "REQUEST_ID_REUSED"
    DECISION_UNKNOWN = "DECISION_UNKNOWN"
    DECISION_DAMAGED = "DECISION_DAMAGED"
    NOT_ANSWERED = "NOT_ANSWERED"
    # The policy's: this caller, or nobody, may do that now.
    NO_ROUTE = "NO_ROUTE"
    BUDGET_EXHAUSTED = "BUDGET_EXHAUSTED"
    RATE_LIMITED = "RATE_LIMITED"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    # The router's own: it stops, and whoever asks again finds another one, or this one again.
    SHUTTING_DOWN = "SHUTTING_DOWN"
    # The operator's: something must be configured.
    LIMITS_INVALID = "LIMITS_INVALID"
    PRICE_UNKNOWN = "PRICE_UNKNOWN"
    NO_MODEL_CONFIGURED = "NO_MODEL_CONFIGURED"
    PROVIDER_NOT_CONFIGURED = "PROVIDER_NOT_CONFIGURED"
    PROVIDER_REFUSED_KEY = "PROVIDER_REFUSED_KEY"
    PROVIDER_MODEL_MISSING = "PROVIDER_MODEL_MISSING"
    # The provider's: later, or another provider, may work.
    PROVIDER_UNREACHABLE = "PROVIDER_UNREACHABLE"
    PROVIDER_TIMEOUT = "PROVIDER_TIMEOUT"
    PROVIDER_RATE_LIMITED = "PROVIDER_RATE_LIMITED"
    PROVIDER_ERROR = "PROVIDER_ERROR"
    PROVIDER_BAD_RESPONSE = "PROVIDER_BAD_RESPONSE"
    CIRCUIT_OPEN = "CIRCUIT_OPEN"
    DEPLOYMENTS_BUSY = "DEPLOYMENTS_BUSY"
    STREAM_BROKEN = "STREAM_BROKEN"
    ALL_MODELS_FAILED = "ALL_MODELS_FAILED"


_CLASSES: Mapping[Reason, type[NexusError]] = {
    Reason.MODEL_UNKNOWN: InvalidInput,
    Reason.UNSUPPORTED_CAPABILITY: InvalidInput,
    Reason.CONTEXT_TOO_LONG: InvalidInput,
    Reason.INVALID_SCHEMA: InvalidInput,
    Reason.INVALID_MESSAGES: InvalidInput,
    Reason.PROVIDER_REFUSED_REQUEST: InvalidInput,
    Reason.TIER_UNKNOWN: InvalidInput,
    Reason.CONTRACT_INVALID: InvalidInput,
    Reason.PROVIDER_UNKNOWN: InvalidInput,
    Reason.RULES_INVALID: InvalidInput,
    Reason.PAGE_TOKEN_INVALID: InvalidInput,
    Reason.TIME_RANGE_INVALID: InvalidInput,
    Reason.CONTRACT_EXISTS: AlreadyExists,
    Reason.CONTRACT_UNKNOWN: NotFound,
    Reason.CONTRACT_CHANGED: StaleWrite,
    Reason.CONTRACT_FROM_FILE: PreconditionFailed,
    Reason.CONTRACT_LIMIT: QuotaExceeded,
    Reason.REQUEST_ID_REUSED: AlreadyExists,
    Reason.DECISION_UNKNOWN: NotFound,
    Reason.DECISION_DAMAGED: PreconditionFailed,
    Reason.NOT_ANSWERED: PreconditionFailed,
    Reason.NO_ROUTE: PreconditionFailed,
    Reason.BUDGET_EXHAUSTED: QuotaExceeded,
    Reason.RATE_LIMITED: QuotaExceeded,
    Reason.DEADLINE_EXCEEDED: DeadlineExceeded,
    Reason.SHUTTING_DOWN: UpstreamDown,
    Reason.LIMITS_INVALID: PreconditionFailed,
    Reason.PRICE_UNKNOWN: PreconditionFailed,
    Reason.NO_MODEL_CONFIGURED: PreconditionFailed,
    Reason.PROVIDER_NOT_CONFIGURED: PreconditionFailed,
    Reason.PROVIDER_REFUSED_KEY: PreconditionFailed,
    Reason.PROVIDER_MODEL_MISSING: PreconditionFailed,
    Reason.PROVIDER_UNREACHABLE: UpstreamDown,
    Reason.PROVIDER_TIMEOUT: UpstreamDown,
    Reason.PROVIDER_RATE_LIMITED: UpstreamDown,
    Reason.PROVIDER_ERROR: UpstreamDown,
    Reason.PROVIDER_BAD_RESPONSE: UpstreamDown,
    Reason.CIRCUIT_OPEN: UpstreamDown,
    Reason.DEPLOYMENTS_BUSY: UpstreamDown,
    Reason.STREAM_BROKEN: UpstreamDown,
    Reason.ALL_MODELS_FAILED: UpstreamDown,
}


def failure(
    reason: Reason,
    message: str,
    *,
    metadata: Mapping[str, str] | None = None,
    violations: Sequence[FieldViolation] = (),
    retry_after_s: float | None = None,
) -> NexusError:
    """Returns the error of `reason`, in its class of the taxonomy, for the caller to raise.

    Args:
        reason: Why it failed.
        message: For people: what is wrong and what to do. Never a provider's own words unless sanitised.
        metadata: For programs.
        violations: The fields of the request that are wrong.
        retry_after_s: Seconds after which it makes sense to try again, where the provider said so.
    """
    kind = _CLASSES[reason]
    return kind(reason.value, message, metadata=metadata, violations=violations, retry_after_s=retry_after_s)


def of_decision(error: NexusError, decision_id: str) -> NexusError:
    """`error` as that of a call whose decision is recorded; a new one, since several calls may share `error`."""
    return type(error)(
        error.reason,
        error.message,
        metadata={**error.metadata, "decision_id": decision_id},
        violations=error.violations,
        retry_after_s=error.retry_after_s,
    )


def is_callers_fault(error: NexusError) -> bool:
    """Whether the request itself is wrong, so that the provider is not to blame."""
    return isinstance(error, InvalidInput)
