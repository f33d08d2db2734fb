"""The closed set of reasons for which the router fails, each of one class of the taxonomy."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from shared.errors import InvalidInput, NexusError, PreconditionFailed, UpstreamDown


class Reason(StrEnum):
    """Why an attempt, or a whole call, failed."""

    # The caller's fault: the same request never works with that model.
    MODEL_UNKNOWN = "MODEL_UNKNOWN"
    UNSUPPORTED_CAPABILITY = "UNSUPPORTED_CAPABILITY"
    CONTEXT_TOO_LONG = "CONTEXT_TOO_LONG"
    INVALID_SCHEMA = "INVALID_SCHEMA"
    INVALID_MESSAGES = "INVALID_MESSAGES"
    PROVIDER_REFUSED_REQUEST = "PROVIDER_REFUSED_REQUEST"
    # The operator's: something must be configured.
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
    STREAM_BROKEN = "STREAM_BROKEN"
    ALL_MODELS_FAILED = "ALL_MODELS_FAILED"


_CLASSES: Mapping[Reason, type[NexusError]] = {
    Reason.MODEL_UNKNOWN: InvalidInput,
    Reason.UNSUPPORTED_CAPABILITY: InvalidInput,
    Reason.CONTEXT_TOO_LONG: InvalidInput,
    Reason.INVALID_SCHEMA: InvalidInput,
    Reason.INVALID_MESSAGES: InvalidInput,
    Reason.PROVIDER_REFUSED_REQUEST: InvalidInput,
    Reason.NO_MODEL_CONFIGURED: PreconditionFailed,
    Reason.PROVIDER_NOT_CONFIGURED: PreconditionFailed,
    Reason.PROVIDER_REFUSED_KEY: PreconditionFailed,
    Reason.PROVIDER_MODEL_MISSING: PreconditionFailed,
    Reason.PROVIDER_UNREACHABLE: UpstreamDown,
    Reason.PROVIDER_TIMEOUT: UpstreamDown,
    Reason.PROVIDER_RATE_LIMITED: UpstreamDown,
    Reason.PROVIDER_ERROR: UpstreamDown,
    Reason.PROVIDER_BAD_RESPONSE: UpstreamDown,
    Reason.STREAM_BROKEN: UpstreamDown,
    Reason.ALL_MODELS_FAILED: UpstreamDown,
}


def failure(
    reason: Reason,
    message: str,
    *,
    metadata: Mapping[str, str] | None = None,
    retry_after_s: float | None = None,
) -> NexusError:
    """Returns the error of `reason`, in its class of the taxonomy, for the caller to raise.

    Args:
        reason: Why it failed.
        message: For people: what is wrong and what to do. Never a provider's own words unless sanitised.
        metadata: For programs.
        retry_after_s: Seconds after which it makes sense to try again, where the provider said so.
    """
    return _CLASSES[reason](reason.value, message, metadata=metadata, retry_after_s=retry_after_s)


def is_callers_fault(error: NexusError) -> bool:
    """Whether the request itself is wrong, so that the provider is not to blame."""
    return isinstance(error, InvalidInput)
