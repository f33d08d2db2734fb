"""Equations, derivatives, integrals and limits: what needs to know which letter is the variable."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from tool_executor.adapters.solver_worker.functions import invalid
from tool_executor.adapters.solver_worker.untyped import Relational, sympy
from tool_executor.domain.calculation import CalculationError

_STARTS = (1, 0.1, -1, 3, -3, 10)
_MAX_ORDER = 20


class Solutions:
    """The solutions of equations: one mapping of unknowns to values a solution.

    Args:
        found: the solutions; None when every value is one.
        approximate: whether they were found by approximation, so that there may be more.
        certain: whether there are no others.
    """

    def __init__(
        self, found: Sequence[Mapping[Any, Any]] | None, *, approximate: bool = False, certain: bool = True
    ) -> None:
        self.found = found
        self.approximate = approximate
        self.certain = certain


def solve(variable: str | None, equations: Any, unknowns: Any = None) -> Any:
    """Solve one equation or a list of them; an expression counts as one that is zero."""
    system = _as_list(equations)
    symbols = _unknowns(variable, system) if unknowns is None else _as_list(unknowns)
    if not all(isinstance(symbol, sympy.Symbol) for symbol in symbols):
        raise invalid("solve takes an equation and its unknown: solve(x^2 = 4, x).")
    if len(system) == 1 and isinstance(system[0], Relational) and not isinstance(system[0], sympy.Eq):
        return sympy.reduce_inequalities(system, symbols[:1])
    return _solved(system, symbols)


def differentiate(variable: str | None, expression: Any, *by: Any) -> Any:
    """Differentiate by a letter, or several times: `diff(x^3, x, 2)`."""
    steps = list(by) or [_one_variable(variable, expression)]
    for step in steps:
        if not isinstance(step, sympy.Symbol) and not (isinstance(step, sympy.Integer) and 0 < step <= _MAX_ORDER):
            raise invalid("diff takes an expression, a letter and how often: diff(x^3, x, 2).")
    return sympy.diff(expression, *steps)


def integrate(variable: str | None, expression: Any, *over: Any) -> Any:
    """Integrate over a letter, with bounds or without: `integrate(x, x, 0, 1)`, `integrate(x, (x, 0, 1))`."""
    bounds = list(_as_list(over[0])) if len(over) == 1 else list(over)
    if not bounds or not isinstance(bounds[0], sympy.Symbol):
        bounds.insert(0, _one_variable(variable, expression))
    if len(bounds) not in {1, 3}:
        raise invalid("integrate takes an expression, a letter and two bounds: integrate(x^2, x, 0, 1).")
    value = sympy.integrate(expression, bounds[0] if len(bounds) == 1 else tuple(bounds))
    if value.has(sympy.Integral):
        approximate = sympy.N(value)
        if approximate.is_number and not approximate.has(sympy.Integral):
            return approximate
        raise CalculationError("MATH_UNSUPPORTED", "No formula was found for this integral.")
    return value


def limit(variable: str | None, expression: Any, *at: Any) -> Any:
    """Return the limit of an expression where a letter goes to a point: `limit(sin(x)/x, x, 0)`."""
    point = list(at) if len(at) == 2 else [_one_variable(variable, expression), *at]
    if len(point) != 2 or not isinstance(point[0], sympy.Symbol):
        raise invalid("limit takes an expression, a letter and a point: limit(sin(x)/x, x, 0).")
    return sympy.limit(expression, point[0], point[1])


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "solve": solve,
    "diff": differentiate,
    "derivative": differentiate,
    "integrate": integrate,
    "integral": integrate,
    "limit": limit,
}
"""Functions by name; each takes the variable that the call named, or None, first."""


def _as_list(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else [value]


def _solved(system: list[Any], symbols: list[Any]) -> Solutions:
    if all(equation is sympy.true for equation in system):
        return Solutions(None)
    if any(equation is sympy.false for equation in system):
        return Solutions([])
    try:
        # One equation is given alone: as a list of one, sympy leaves out roots that have no closed form.
        found: Any = sympy.solve(system if len(system) > 1 else system[0], symbols, dict=True)
    except NotImplementedError:
        return _approximated(system, symbols)
    if found:
        return Solutions(found)
    if all(sympy.simplify(_difference(equation)) == 0 for equation in system):
        return Solutions(None)
    return Solutions([], certain=len(system) == 1 and _difference(system[0]).is_polynomial(*symbols))


def _approximated(system: list[Any], symbols: list[Any]) -> Solutions:
    """Find one solution of one equation by Newton's method from a few starting points."""
    if len(system) == len(symbols) == 1:
        for start in _STARTS:
            try:
                root: Any = sympy.nsolve(_difference(system[0]), symbols[0], start)
            except (ValueError, ZeroDivisionError, TypeError):
                continue
            return Solutions([{symbols[0]: root}], approximate=True)
    raise CalculationError("MATH_UNSUPPORTED", "No way to solve this was found.")


def _difference(equation: Any) -> Any:
    return equation.lhs - equation.rhs if isinstance(equation, sympy.Eq) else equation


def _unknowns(variable: str | None, system: list[Any]) -> list[Any]:
    if variable is not None:
        return [sympy.Symbol(variable)]
    symbols: set[Any] = {symbol for equation in system for symbol in equation.free_symbols}
    if len(system) == 1 and len(symbols) > 1:
        return [_preferred(symbols)]
    return sorted(symbols, key=str)


def _one_variable(variable: str | None, expression: Any) -> Any:
    if variable is not None:
        return sympy.Symbol(variable)
    symbols = expression.free_symbols
    return _preferred(symbols) if symbols else sympy.Symbol("x")


def _preferred(symbols: set[Any]) -> Any:
    """Return the only letter, or x; with several others nobody knows which one is meant."""
    named = {str(symbol): symbol for symbol in symbols}
    if len(named) == 1:
        return next(iter(named.values()))
    if "x" in named:
        return named["x"]
    raise invalid(f"Which of {', '.join(sorted(named))} is the variable? Give it as `variable`.")
