"""Limits of size that hold before anything is computed, and those that the kernel holds."""

from __future__ import annotations

import math
import resource
import time
from typing import Any

from tool_executor.adapters.solver_worker.untyped import sympy
from tool_executor.domain.calculation import CalculationError

MAX_DIGITS = 10_000
_MAX_BITS = math.ceil(MAX_DIGITS * math.log2(10))
MAX_EXPONENT = 100_000
MAX_FACTORIAL = 3_000
MAX_RESULT_CHARS = 20_000


def too_large(what: str) -> CalculationError:
    """Return the error of something that is larger than the calculator holds."""
    return CalculationError(
        "CALCULATION_TOO_LARGE",
        f"{what} is too large: numbers may have {MAX_DIGITS} digits. Ask for something smaller.",
    )


def bits_of(value: Any) -> int:
    """Return the size of the larger part of `value`, in bits."""
    return max(abs(int(value.p)).bit_length(), int(value.q).bit_length())


def check_size(value: Any) -> Any:
    """Return `value`.

    Raises:
        CalculationError: when it is a number with more than `MAX_DIGITS` digits, or not defined.
    """
    if isinstance(value, sympy.Rational) and bits_of(value) > _MAX_BITS:
        raise too_large("A number in it")
    if value is sympy.zoo or value is sympy.nan:
        raise CalculationError("MATH_UNDEFINED", "It is not defined, for example a division by zero.")
    return value


def check_power(base: Any, exponent: Any) -> None:
    """Refuse a power whose value would not fit, before it is computed.

    Raises:
        CalculationError: CALCULATION_TOO_LARGE, or MATH_UNDEFINED for zero to a negative power.
    """
    if not isinstance(exponent, sympy.Rational):
        return
    size = -(-abs(int(exponent.p)) // int(exponent.q))
    if base.is_zero and exponent.is_negative:
        raise CalculationError("MATH_UNDEFINED", "It divides by zero: zero has no negative power.")
    if isinstance(base, sympy.Rational):
        bits = bits_of(base)
        if bits > 1 and bits * size > _MAX_BITS:
            raise too_large("A power in it")
    elif size > MAX_EXPONENT:
        raise too_large("An exponent in it")


def allow_cpu(seconds: int) -> None:
    """Let this process use `seconds` of CPU from now on; the kernel kills it beyond."""
    used = math.ceil(time.process_time())
    resource.setrlimit(resource.RLIMIT_CPU, (used + seconds, resource.RLIM_INFINITY))
