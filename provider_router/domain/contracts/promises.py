"""Compares what a contract guarantees with what was measured.

A promise breaks when the measurement is clearly beyond it, and is kept again when it is back within a smaller
distance, so that one near the line does not change all the time:

| guarantee             | breaks                                  | is kept again                |
| --------------------- | --------------------------------------- | ---------------------------- |
| `first_token_p50_ms`  | above 125 % of it                       | at most 110 % of it          |
| `first_token_p95_ms`  | above 125 % of it                       | at most 110 % of it          |
| `tokens_per_second`   | below 80 % of it                        | at least 90 % of it          |
| `availability_ppm`    | 3 failures, and more than twice as many | at most as many as it allows |
|                       | as it allows                            |                              |

The distances are larger than the error of the measurement (3.2 %, see `call_window`). Fewer than 20 calls in the
window say nothing: no promise is broken then, so that a service that was demoted for one gets calls again.
"""

from __future__ import annotations

from collections.abc import Collection

from provider_router.domain.contracts.contract import PPM, Guarantees
from provider_router.domain.decisions.service_state import Measured

MIN_CALLS = 20
_MIN_FAILURES = 3
_SLOWER_PERCENT = (125, 110)
_FEWER_PERCENT = (80, 90)


def broken_promises(guarantees: Guarantees, measured: Measured, before: Collection[str] = ()) -> tuple[str, ...]:
    """Names of the guarantees that `measured` breaks, in the order of the table.

    Args:
        guarantees: What is promised; 0 for nothing.
        measured: Over the window.
        before: Those that were broken when this was last asked.
    """
    if measured.calls < MIN_CALLS:
        return ()
    checks = {
        "first_token_p50_ms": _is_slower(
            guarantees.first_token_p50_ms, measured.first_token_p50_ms, was_broken="first_token_p50_ms" in before
        ),
        "first_token_p95_ms": _is_slower(
            guarantees.first_token_p95_ms, measured.first_token_p95_ms, was_broken="first_token_p95_ms" in before
        ),
        "tokens_per_second": _is_less(
            guarantees.tokens_per_second, measured.tokens_per_second, was_broken="tokens_per_second" in before
        ),
        "availability_ppm": _fails_more(guarantees.availability_ppm, measured, was_broken="availability_ppm" in before),
    }
    return tuple(name for name, is_broken in checks.items() if is_broken)


def _is_slower(promised_ms: int, measured_ms: int, *, was_broken: bool) -> bool:
    return promised_ms > 0 and measured_ms * 100 > promised_ms * _SLOWER_PERCENT[was_broken]


def _is_less(promised: int, measured: int, *, was_broken: bool) -> bool:
    # A speed of 0 was not measured.
    return promised > 0 and 0 < measured * 100 < promised * _FEWER_PERCENT[was_broken]


def _fails_more(promised_ppm: int, measured: Measured, *, was_broken: bool) -> bool:
    if not promised_ppm:
        return False
    allowed_ppm, failed_ppm = PPM - promised_ppm, PPM - measured.success_ppm
    if was_broken:
        return failed_ppm > allowed_ppm
    # The share is rounded by less than a millionth, so rounding to the nearest gives back the count.
    failures = (failed_ppm * measured.calls + PPM // 2) // PPM
    return failures >= _MIN_FAILURES and failed_ppm > 2 * allowed_ppm
