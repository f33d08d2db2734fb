"""Rounds measurements, so that the states which decisions see are few: each one that differs is stored for replay."""

from __future__ import annotations

from dataclasses import replace

from provider_router.domain.contracts.contract import PPM
from provider_router.domain.decisions.service_state import Measured

_LOAD_STEP_PPM = PPM // 10


def to_digits(value: int, digits: int) -> int:
    """`value`, at least 0, cut to its first `digits` decimal digits: 1,987 to two digits is 1,900."""
    unit = 10 ** max(0, len(str(value)) - digits)
    return value // unit * unit


def without_excused(measured: Measured) -> Measured:
    """What counts for decisions: `measured` as if its excused failures had not been called."""
    if not measured.excused:
        return measured
    calls = measured.calls - measured.excused
    # Rounded up, since the share was rounded down.
    good = -(-measured.calls * measured.success_ppm // PPM)
    return replace(measured, calls=calls, success_ppm=min(PPM, good * PPM // calls) if calls else PPM, excused=0)


def rounded(measured: Measured) -> Measured:
    """Times, speeds and the share of failures to two digits, the number of calls to one, without excused failures.

    It is the share of failures and not that of successes, since 99.9 % is another promise than 99 %.
    """
    counted = without_excused(measured)
    return Measured(
        calls=to_digits(counted.calls, 1),
        success_ppm=PPM - to_digits(PPM - counted.success_ppm, 2),
        first_token_p50_ms=to_digits(measured.first_token_p50_ms, 2),
        first_token_p95_ms=to_digits(measured.first_token_p95_ms, 2),
        tokens_per_second=to_digits(measured.tokens_per_second, 2),
    )


def rounded_load(load_ppm: int) -> int:
    """A load in steps of a tenth."""
    return load_ppm // _LOAD_STEP_PPM * _LOAD_STEP_PPM
