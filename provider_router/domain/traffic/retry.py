"""What to do after an attempt that failed before its first token."""

from __future__ import annotations

from enum import StrEnum

from provider_router.domain.decisions.decision import Control
from provider_router.domain.errors import Reason

_LONGEST_WAIT_S = 10.0
"""A pause that a provider asks for and that is longer is left to the caller, who is told of it."""

NOT_NOW = frozenset(
    {
        Reason.PROVIDER_NOT_CONFIGURED.value,
        Reason.PROVIDER_REFUSED_KEY.value,
        Reason.CIRCUIT_OPEN.value,
        Reason.PROVIDER_RATE_LIMITED.value,
        Reason.DEPLOYMENTS_BUSY.value,
    }
)
"""Reasons for which a service cannot be called at the moment."""
PASSES_SOON = frozenset({Reason.PROVIDER_RATE_LIMITED.value, Reason.DEPLOYMENTS_BUSY.value})
"""Those of them that it may make sense to wait for. An open breaker is not waited for: it is there to fail fast."""


class Move(StrEnum):
    """Where to go."""

    AGAIN = "again"  # the same service, after a pause
    ELSEWHERE = "elsewhere"  # the same service, at once, where this key or deployment is not needed
    LATER = "later"  # the same service, when the others of the chain failed too
    ON = "on"  # the next service: this one is of no use to this request


_MOVES = {
    Reason.PROVIDER_UNREACHABLE: Move.AGAIN,
    Reason.PROVIDER_ERROR: Move.AGAIN,
    Reason.PROVIDER_BAD_RESPONSE: Move.AGAIN,
    Reason.PROVIDER_RATE_LIMITED: Move.AGAIN,
    # Who waited that long for one model should not wait for it twice while there is another one.
    Reason.PROVIDER_TIMEOUT: Move.LATER,
    Reason.PROVIDER_REFUSED_KEY: Move.ELSEWHERE,
    Reason.PROVIDER_MODEL_MISSING: Move.ELSEWHERE,
}


def move_after(reason: str) -> Move:
    """Where to go after a failure for `reason`; the caller's own faults and unknown reasons lead on."""
    return _MOVES.get(Reason(reason), Move.ON) if reason in Reason.__members__ else Move.ON


def backoff_s(control: Control, failures: int, share: float) -> float:
    """The pause before another try, with full jitter: a share of base * 2^(failures - 1), at most the cap.

    Full jitter spreads the retries of many callers best; see "Exponential Backoff And Jitter" by M. Brooker, 2015.

    Args:
        control: Has base and cap.
        failures: Of this service in this call so far, at least 1.
        share: Random, 0 to 1.
    """
    ceiling_ms = min(control.backoff_cap_ms, control.backoff_base_ms * 2 ** min(failures - 1, 16))
    return share * ceiling_ms / 1000


def longest_wait_s(control: Control, left_s: float, *, another: bool) -> float:
    """The longest pause that is worth its while.

    Args:
        control: Has the cap of pauses.
        left_s: Time left to the call.
        another: Whether another service of the chain could be asked instead.
    """
    return min(left_s, control.backoff_cap_ms / 1000 if another else _LONGEST_WAIT_S)
