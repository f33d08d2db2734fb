"""With what a call fails when its chain has failed, or when its answer broke off."""

from __future__ import annotations

from collections.abc import Sequence

from provider_router.domain.calls.events import Attempt
from provider_router.domain.errors import Reason, failure, is_callers_fault
from shared.errors import NexusError

FAILED_IN_TIME = frozenset({Reason.PROVIDER_TIMEOUT, Reason.STREAM_BROKEN, Reason.ALL_MODELS_FAILED})
"""Reasons with which a call fails whose time is over."""


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
    waits = [error.retry_after_s for error in errors if error.retry_after_s is not None]
    return failure(
        Reason.ALL_MODELS_FAILED,
        f"No model answered ({listed}). `nexus providers list` shows how the providers are.",
        metadata=reasons,
        retry_after_s=min(waits, default=None),
    )


def out_of_time(attempts: Sequence[Attempt]) -> NexusError:
    """The error of a call whose time was over before a service answered."""
    reasons = {attempt.model: attempt.reason for attempt in attempts}
    return failure(Reason.PROVIDER_TIMEOUT, "No model answered within the time limit of the call.", metadata=reasons)


def deadline_passed() -> NexusError:
    """The error of a call whose caller gave it no more time."""
    return failure(Reason.DEADLINE_EXCEEDED, "The time that the caller gave the call is over.")


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
