"""A calculation and how it is told."""

from __future__ import annotations

from dataclasses import dataclass


class CalculationError(Exception):
    """An expression has no answer that can be given.

    Args:
        reason: EXPRESSION_INVALID, MATH_UNDEFINED, MATH_UNSUPPORTED, CALCULATION_TOO_LARGE, CALCULATION_TOO_SLOW or
            CALCULATOR_UNAVAILABLE.
        message: what is wrong and what to change.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason = reason
        self.message = message


_TOLD_CHARS = 240


@dataclass(frozen=True, slots=True)
class Calculation:
    """The answer to an expression.

    Args:
        expression: the expression as it was asked, without the words around it.
        understood_as: the same in the calculator's own notation, so that a misreading shows.
        result: the exact answer.
        decimal: the answer as a decimal number; None when it is no number.
        decimal_exact: whether `decimal` is exact; it has 15 significant digits otherwise.
    """

    expression: str
    understood_as: str
    result: str
    decimal: str | None
    decimal_exact: bool


def sentence(calculation: Calculation) -> str:
    """Return the answer in one line, for example `23*17 + sqrt(144) = 403` or `2/6 = 1/3 ≈ 0.333333333333333`."""
    asked, result, decimal = calculation.expression, calculation.result, calculation.decimal
    if len(result) > _TOLD_CHARS and decimal is not None and not calculation.decimal_exact:
        return f"{asked} ≈ {decimal} (the output has all {len(result)} characters of the exact answer)"
    if " = " in result or result.startswith("no solution") or "=" in asked or "<" in asked or ">" in asked:
        told = f"{asked}: {result}"
    elif calculation.decimal_exact and decimal is not None:
        return f"{asked} = {decimal}"
    elif result.replace(" ", "") == calculation.understood_as.replace(" ", ""):
        return f"{asked} ≈ {decimal}" if decimal is not None else f"{asked} = {result}"
    else:
        told = f"{asked} = {result}"
    return told if decimal is None or calculation.decimal_exact else f"{told} ≈ {decimal}"
