"""The calculator's functions, each from checked arguments to a sympy object."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, cast

from tool_executor.adapters.solver_worker.limits import MAX_FACTORIAL, too_large
from tool_executor.adapters.solver_worker.untyped import sympy
from tool_executor.domain.calculation import CalculationError

Function = Callable[..., Any]
_MAX_BINOMIAL = 20_000


def invalid(message: str) -> CalculationError:
    """Return the error of an expression that is written wrongly."""
    return CalculationError("EXPRESSION_INVALID", message)


def _flat(name: str, values: tuple[Any, ...]) -> list[Any]:
    flat = cast("list[Any]", values[0]) if len(values) == 1 and isinstance(values[0], list) else list(values)
    if not flat:
        raise invalid(f"{name} takes numbers: {name}(3, 5).")
    return flat


def _integers(name: str, values: tuple[Any, ...]) -> list[Any]:
    flat = _flat(name, values)
    if not all(isinstance(value, sympy.Integer) for value in flat):
        raise CalculationError("MATH_UNSUPPORTED", f"{name} takes whole numbers.")
    return flat


def _factorial(n: Any) -> Any:
    if isinstance(n, sympy.Integer) and n < 0:
        raise CalculationError("MATH_UNDEFINED", "The factorial of a negative number is not defined.")
    if n.is_number and abs(n) > MAX_FACTORIAL:
        raise too_large(f"A factorial of more than {MAX_FACTORIAL}")
    return sympy.factorial(n)


def _binomial(n: Any, k: Any) -> Any:
    if any(value.is_number and abs(value) > _MAX_BINOMIAL for value in (n, k)):
        raise too_large(f"A binomial of more than {_MAX_BINOMIAL}")
    return sympy.binomial(n, k)


def _log(x: Any, base: Any = None) -> Any:
    if x.is_zero:
        raise CalculationError("MATH_UNDEFINED", "The logarithm of zero is not defined.")
    return sympy.log(x) if base is None else sympy.log(x, base)


def _round(x: Any, digits: Any = 0) -> Any:
    digits = sympy.Integer(digits) if digits == 0 else digits
    if not (isinstance(digits, sympy.Integer) and abs(digits) <= 50):
        raise invalid("round takes a whole number of digits up to 50: round(pi, 2).")
    scale = sympy.Integer(10) ** digits
    sign = -1 if x.is_negative else 1
    return sign * sympy.floor(abs(x) * scale + sympy.Rational(1, 2)) / scale


def _mod(a: Any, b: Any) -> Any:
    if b.is_zero:
        raise CalculationError("MATH_UNDEFINED", "It divides by zero.")
    return sympy.Mod(a, b)


def _mean(*values: Any) -> Any:
    flat = _flat("mean", values)
    return sympy.Add(*flat) / len(flat)


def _isprime(n: Any) -> Any:
    (number,) = _integers("isprime", (n,))
    return sympy.true if sympy.isprime(number) else sympy.false


def _factor(expression: Any) -> Any:
    if isinstance(expression, sympy.Integer):
        found = sympy.factorint(expression)
        powers = [sympy.Pow(prime, times, evaluate=times == 1) for prime, times in found.items()]
        return sympy.Mul(*powers, evaluate=False) if len(powers) > 1 else (powers or [sympy.Integer(1)])[0]
    return sympy.factor(expression)


def _root(x: Any, n: Any) -> Any:
    if n.is_zero:
        raise CalculationError("MATH_UNDEFINED", "There is no zeroth root.")
    return sympy.real_root(x, n) if x.is_number and isinstance(n, sympy.Integer) else sympy.root(x, n)


_SAME_NAME = (
    *("exp", "sin", "cos", "tan", "cot", "sec", "csc", "asin", "acos", "atan", "atan2", "sinh", "cosh", "tanh"),
    *("asinh", "acosh", "atanh", "re", "im", "conjugate", "sign", "sqrt", "floor", "simplify", "expand"),
)

FUNCTIONS: Mapping[str, Function] = {
    **{name: getattr(sympy, name) for name in _SAME_NAME},
    "cbrt": partial(_root, n=sympy.Integer(3)),
    "root": _root,
    "log": _log,
    "ln": _log,
    "log2": partial(_log, base=sympy.Integer(2)),
    "log10": partial(_log, base=sympy.Integer(10)),
    "abs": sympy.Abs,
    "ceil": sympy.ceiling,
    "ceiling": sympy.ceiling,
    "round": _round,
    "factorial": _factorial,
    "binomial": _binomial,
    "factor": _factor,
    "gcd": lambda *values: sympy.Integer(math.gcd(*map(int, _integers("gcd", values)))),
    "lcm": lambda *values: sympy.Integer(math.lcm(*map(int, _integers("lcm", values)))),
    "min": lambda *values: sympy.Min(*_flat("min", values)),
    "max": lambda *values: sympy.Max(*_flat("max", values)),
    "sum": lambda *values: sympy.Add(*_flat("sum", values)),
    "mean": _mean,
    "mod": _mod,
    "isprime": _isprime,
    "arcsin": sympy.asin,
    "arccos": sympy.acos,
    "arctan": sympy.atan,
}
"""Plain functions by name. Those that need to know the variable are in `calculus`."""

TAKING_LISTS = frozenset({"gcd", "lcm", "min", "max", "sum", "mean"})
"""Functions that take a list as well as several arguments."""

CONSTANTS: Mapping[str, Any] = {
    "pi": sympy.pi,
    "e": sympy.E,
    "I": sympy.I,
    "i": sympy.I,
    "tau": 2 * sympy.pi,
    "oo": sympy.oo,
    "inf": sympy.oo,
    "infinity": sympy.oo,
}
