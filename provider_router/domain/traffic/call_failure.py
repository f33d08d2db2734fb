"""With what a call fails when its chain has failed, or when its answer broke off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from provider_router.domain.calls.events import Attempt
from provider_router.domain.errors import Reason, failure, is_callers_fault
from shared.errors import NexusError

FAILED_IN_TIME = frozenset({Reason.PROVIDER_TIMEOUT, Reason.STREAM_BROKEN, Reason.ALL_MODELS_FAILED})
"""Reasons with which a call fails whose time is over."""

# By then there is a router again, if there is to be one.
_RESTART_S = 1.0
_WORDS: Mapping[str, str] = {
    Reason.PROVIDER_UNREACHABLE: "could not be reached",
    Reason.PROVIDER_TIMEOUT: "did not answer in time",
    Reason.PROVIDER_ERROR: "had an error of its own",
    Reason.PROVIDER_BAD_RESPONSE: "gave no proper answer",
    Reason.PROVIDER_RATE_LIMITED: "limits the rate",
    Reason.PROVIDER_REFUSED_KEY: "refused its key",
    Reason.PROVIDER_NOT_CONFIGURED: "has no key",
    Reason.PROVIDER_MODEL_MISSING: "does not have the model",
    Reason.PROVIDER_REFUSED_REQUEST: "refused the request",
    Reason.CIRCUIT_OPEN: "failed too often and is given no calls for a while",
    Reason.DEPLOYMENTS_BUSY: "has as many calls as it takes at once",
}


def chain_failed(attempts: Sequence[Attempt], errors: Sequence[NexusError], *, named: bool) -> NexusError:
    """The error of a call in which every service failed.

    A service that the caller named fails with its own reason. When all services reject the request itself, the caller
    learns what is wrong with it; else that all failed, and why each of them did.

    Args:
        attempts: In order, with the reasons of `errors`.
        errors: None when the chain had no service.
        named: Whether the caller named the service.
    """
    if not errors:
        return failure(Reason.NO_ROUTE, "No service of the decision's chain is there any more; ask again.")
    if named:
        # That it was passed over afterwards, say for an open breaker, is less to the point than why it failed.
        called = [error for attempt, error in zip(attempts, errors, strict=True) if attempt.deployment]
        return called[-1] if called else errors[-1]
    if all(is_callers_fault(error) for error in errors):
        return errors[0]
    reasons = {attempt.model: attempt.reason for attempt in attempts}
    listed = ", ".join(f"{model}: {reason}" for model, reason in reasons.items())
    why = _why(attempts, errors)
    waits = [error.retry_after_s for error in errors if error.retry_after_s is not None]
    return failure(
        Reason.ALL_MODELS_FAILED,
        f"No model answered ({listed}): {why}. `nexus providers list` shows how the providers are.",
        metadata={**reasons, "why": why},
        retry_after_s=min(waits, default=None),
    )


def _why(attempts: Sequence[Attempt], errors: Sequence[NexusError]) -> str:
    """What became of each provider, in words: of each model its last failure."""
    last = {attempt.model: error for attempt, error in zip(attempts, errors, strict=True)}
    said = dict.fromkeys(_became(model.partition("/")[0], error) for model, error in last.items())
    return ", ".join(said)


def _became(provider: str, error: NexusError) -> str:
    """What became of one provider: `acme could not be reached (PROVIDER_UNREACHABLE)`."""
    cause = error.metadata.get("cause", "") if error.reason == Reason.CIRCUIT_OPEN else ""
    reason = cause or error.reason
    paused = " and is given no calls for a while" if cause else ""
    return f"{provider} {_WORDS.get(reason, 'failed')}{paused} ({reason})"


def out_of_time(attempts: Sequence[Attempt]) -> NexusError:
    """The error of a call whose time was over before a service answered."""
    reasons = {attempt.model: attempt.reason for attempt in attempts}
    return failure(Reason.PROVIDER_TIMEOUT, "No model answered within the time limit of the call.", metadata=reasons)


def deadline_passed() -> NexusError:
    """The error of a call whose caller gave it no more time."""
    return failure(Reason.DEADLINE_EXCEEDED, "The time that the caller gave the call is over.")


def shutting_down() -> NexusError:
    """The error of a call that was not done when the router stopped."""
    return failure(
        Reason.SHUTTING_DOWN,
        "The router is shutting down, and the answer is not complete. Ask again in a moment.",
        retry_after_s=_RESTART_S,
    )


def broke_off(model: str, cause: str, why_it_ends: str = "") -> NexusError:
    """The error of an answer that broke off after its first piece.

    Args:
        model: `provider/model` that broke off last.
        cause: A reason of `errors.Reason`.
        why_it_ends: Why no other model goes on, where the caller asked for that.
    """
    metadata = {"model": model, "cause": cause} | ({"not_continued": why_it_ends} if why_it_ends else {})
    return failure(
        Reason.STREAM_BROKEN,
        f"The answer of '{model}' broke off ({cause}). What came so far is incomplete; ask again.",
        metadata=metadata,
    )
