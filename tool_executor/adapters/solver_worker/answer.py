"""From a question to its answer as text."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, localcontext
from typing import Any, cast

from tool_executor.adapters.solver_worker import calculus
from tool_executor.adapters.solver_worker.build import Builder
from tool_executor.adapters.solver_worker.calculus import Solutions
from tool_executor.adapters.solver_worker.limits import MAX_RESULT_CHARS, check_size, too_large
from tool_executor.adapters.solver_worker.untyped import Relational, sympy
from tool_executor.domain.calculation import Calculation, CalculationError
from tool_executor.domain.expression_text import read_question

_DIGITS = 15
_EXACT_DIGITS = 50
_LONGEST_INTEGER = 10**200
_SIMPLIFIED_OPS = 60
_EXPLICIT = ("expand(", "factor(", "diff(", "derivative(", "integrate(", "integral(", "simplify(", "limit(")


def answer(expression: str, variable: str | None) -> Calculation:
    """Return the answer to `expression`.

    Raises:
        CalculationError: when there is none that can be given.
    """
    question = read_question(expression)
    named = variable or question.variable
    value = Builder(question.python, named).build()
    if isinstance(value, Relational) and value.free_symbols:
        value = calculus.solve(named, value)
    elif isinstance(value, Relational):
        value = sympy.simplify(value)
    elif isinstance(value, sympy.Expr) and not question.python.startswith(_EXPLICIT):
        value = _simplified(value)
    result, decimal, exact = _told(value)
    if len(result) > MAX_RESULT_CHARS:
        raise too_large("The answer")
    return Calculation(question.expression, question.python, result, decimal, exact)


def _simplified(value: Any) -> Any:
    """Return a shorter form where one is cheap to find."""
    if isinstance(value, sympy.Rational) or sympy.count_ops(value) > _SIMPLIFIED_OPS:
        return value
    return min((value, check_size(sympy.simplify(value))), key=sympy.count_ops)


def _told(value: Any) -> tuple[str, str | None, bool]:
    """Return `value` as text, its decimal form or None, and whether that is exact."""
    if isinstance(value, Solutions):
        return _solutions(value)
    if isinstance(value, list):
        return ", ".join(_told(item)[0] for item in cast("list[Any]", value)), None, False
    if value in (sympy.true, sympy.false):
        return ("true" if value is sympy.true else "false"), None, False
    if isinstance(value, sympy.Expr) and value.is_number:
        return _number(value)
    if isinstance(value, sympy.And):
        bounded = [part for part in value.args if not part.has(sympy.oo, -sympy.oo)]
        return " and ".join(sympy.sstr(part) for part in bounded) or "true", None, False
    return sympy.sstr(value).replace(" & ", " and ").replace(" | ", " or "), None, False


def _number(value: Any) -> tuple[str, str | None, bool]:
    if isinstance(value, sympy.Mul | sympy.Pow) and value.is_integer:
        # A number taken apart, by `factor`: its decimal form is the question itself.
        return sympy.sstr(value), None, False
    decimal, exact = _decimal(value)
    return sympy.sstr(value), decimal, exact


def _solutions(value: Solutions) -> tuple[str, str | None, bool]:
    if value.found is None:
        return "true for every value", None, False
    if not value.found:
        return ("no solution" if value.certain else "no solution found"), None, False
    if value.approximate:
        return _joined(value, _approximately), None, False
    values = [item for solution in value.found for item in solution.values()]
    rational = all(isinstance(part, sympy.Rational) for item in values for part in item.as_real_imag())
    numeric = all(item.is_number for item in values)
    decimal = _joined(value, _decimal_text) if numeric and not rational else None
    if any(item.has(sympy.CRootOf) for item in values):
        return _joined(value, _approximately), None, False
    return _joined(value, sympy.sstr), decimal, False


def _approximately(value: Any) -> str:
    return f"{sympy.sstr(sympy.N(value, _DIGITS))} (approximately)"


def _decimal_text(value: Any) -> str:
    return _decimal(value)[0]


def _joined(value: Solutions, told: Callable[[Any], str]) -> str:
    texts = [", ".join(f"{symbol} = {told(item)}" for symbol, item in one.items()) for one in value.found or ()]
    return " or ".join(texts)


def _decimal(value: Any) -> tuple[str, bool]:
    """Return a number as a decimal one: exactly where that is short, else to 15 significant digits."""
    if value.has(sympy.oo):
        return sympy.sstr(value), True
    if isinstance(value, sympy.Rational):
        exact = _terminating(value)
        if exact is not None:
            return exact, True
    approximate = sympy.N(value, _DIGITS)
    if approximate is sympy.nan or approximate is sympy.zoo:
        raise CalculationError("MATH_UNDEFINED", "It is not defined.")
    return _short(sympy.sstr(approximate)), False


def _terminating(value: Any) -> str | None:
    numerator, denominator = int(value.p), int(value.q)
    rest = denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    if rest != 1:
        return None
    if denominator == 1 and abs(numerator) < _LONGEST_INTEGER:
        return str(numerator)
    with localcontext() as context:
        context.prec = _EXACT_DIGITS + 1
        text = format(Decimal(numerator) / Decimal(denominator), "f")
    return text if len(text) <= _EXACT_DIGITS else None


def _short(text: str) -> str:
    """Leave out the zeros that end the digits of a real number: 1.41421356237310 becomes 1.4142135623731."""
    mantissa, mark, exponent = text.partition("e")
    if "." in mantissa and mantissa.lstrip("-").replace(".", "").isdigit():
        mantissa = mantissa.rstrip("0").rstrip(".")
    return mantissa + mark + exponent
