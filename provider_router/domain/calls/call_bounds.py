"""How long one attempt may take."""

from __future__ import annotations

from provider_router.domain.calls.call_limits import CallLimits
from provider_router.domain.decisions.decision import Control, Link

_PATIENCE = 6
_BITS = 16
"""Five significant bits are exact to a sixteenth."""


def attempt_limits(control: Control, link: Link, left_s: float, most: CallLimits) -> CallLimits:
    """The time limits of an attempt at `link` in a call that has `left_s` seconds left; at most those of `most`."""
    left_ms = max(1, round(left_s * 1000))
    return CallLimits(
        first_token_ms=_least(link.first_token_timeout_ms, most.first_token_ms, left_ms),
        idle_ms=_least(control.idle_timeout_ms, most.idle_ms, left_ms),
        total_ms=left_ms,
    )


def call_seconds(control: Control, own_ms: int | None, most: CallLimits) -> float:
    """The time limit of a whole call: the tier's, the caller's own or that of `most`, whichever is shortest."""
    return _least(control.total_timeout_ms, own_ms or 0, most.total_ms) / 1000


def is_callers_limit(control: Control, own_ms: int | None, most: CallLimits) -> bool:
    """Whether it is the caller's own time that ends the call.

    The control's total time is derived from it then: a little shorter, to five significant bits.
    """
    if own_ms is None or most.total_ms < own_ms:
        return False
    return control.total_timeout_ms * _BITS >= own_ms * (_BITS - 1)


def gives_too_little(control: Control, link: Link, limits: CallLimits, expected_ms: int) -> bool:
    """Whether a caller's own time limit leaves a service so little that to keep silent for that long is no fault.

    It does where it alone bounds the first piece, below six times the median that is expected: twice the 95th
    percentile where only the median is known. Else anybody could close a service to everybody, with a few calls of a
    millisecond.

    Args:
        control: Of a call whose caller has a limit.
        link: That is called.
        limits: Of the attempt, from `attempt_limits`.
        expected_ms: The median time to the first piece; 0 when unknown.
    """
    own = limits.first_token_ms < link.first_token_timeout_ms or link.first_token_timeout_ms >= control.total_timeout_ms
    return own and (not expected_ms or limits.first_token_ms < _PATIENCE * expected_ms)


def _least(one_ms: int, other_ms: int, third_ms: int) -> int:
    """The shortest of the limits; 0 is none."""
    least = one_ms
    if other_ms and (not least or other_ms < least):
        least = other_ms
    if third_ms and (not least or third_ms < least):
        least = third_ms
    return least or 1
