"""Builds sympy objects from an expression: Python's own parser, then a walk that knows a closed set of nodes.

Nothing is ever evaluated as code: a node that is not listed here is an error.
"""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, cast

from tool_executor.adapters.solver_worker import calculus
from tool_executor.adapters.solver_worker.functions import CONSTANTS, FUNCTIONS, TAKING_LISTS, invalid
from tool_executor.adapters.solver_worker.limits import MAX_DIGITS, check_power, check_size, too_large
from tool_executor.adapters.solver_worker.untyped import sympy
from tool_executor.domain.calculation import CalculationError

MAX_DEPTH = 60
_LITERAL = re.compile(r"(?P<digits>[0-9.]+)(?:[eE](?P<exponent>[+-]?[0-9]+))?")
_SYMBOL = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,19}")


def _divide(left: Any, right: Any) -> Any:
    if right.is_zero:
        raise CalculationError("MATH_UNDEFINED", "It divides by zero.")
    return left / right


def _power(left: Any, right: Any) -> Any:
    check_power(left, right)
    return left**right


_BINARY: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: lambda left, right: left + right,
    ast.Sub: lambda left, right: left - right,
    ast.Mult: lambda left, right: left * right,
    ast.Div: _divide,
    ast.Pow: _power,
    ast.Mod: FUNCTIONS["mod"],
    ast.FloorDiv: lambda left, right: sympy.floor(_divide(left, right)),
}
_COMPARISONS: Mapping[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: sympy.Eq,
    ast.NotEq: sympy.Ne,
    ast.Lt: sympy.Lt,
    ast.LtE: sympy.Le,
    ast.Gt: sympy.Gt,
    ast.GtE: sympy.Ge,
}


def _check_arguments(name: str, arguments: list[Any]) -> None:
    """Refuse what is no number or formula: an equation, solutions, a list where none belongs."""
    several = name.lower() in TAKING_LISTS and len(arguments) == 1 and isinstance(arguments[0], list)
    items = cast("list[Any]", arguments[0]) if several else arguments
    if not all(isinstance(item, sympy.Expr) for item in items):
        raise invalid(f"{name} takes numbers or formulas only.")


class Builder:
    """Builds the object of one expression.

    Args:
        source: the expression in Python's notation, ASCII, on one line.
        variable: the unknown that the call named, or None. It is a letter then, even if it is `e`.
    """

    def __init__(self, source: str, variable: str | None) -> None:
        self._source = source
        self._variable = variable
        self._depth = 0

    def build(self) -> Any:
        """Return a sympy object, a list of them, or `Solutions`.

        Raises:
            CalculationError: when the expression is wrong, not defined, not supported or too large.
        """
        try:
            tree = ast.parse(self._source.strip(), mode="eval")
        except (SyntaxError, ValueError, MemoryError, RecursionError):
            raise invalid("It cannot be read as mathematics. Write it like 3*(x + 4)/2 = 9.") from None
        if isinstance(tree.body, ast.Tuple):
            raise invalid("A comma stands between two expressions. Give one, and write decimals with a point: 3.5.")
        self._source = self._source.strip()
        return self._visit(tree.body)

    def _visit(self, node: ast.AST) -> Any:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise CalculationError("CALCULATION_TOO_LARGE", f"It is nested deeper than {MAX_DEPTH} levels.")
        value = self._value(node)
        self._depth -= 1
        return check_size(value) if isinstance(value, sympy.Basic) else value

    def _value(self, node: ast.AST) -> Any:
        match node:
            case ast.Constant():
                value = self._number(node)
            case ast.Name():
                value = self._name(node.id)
            case ast.BinOp() if type(node.op) in _BINARY:
                value = _BINARY[type(node.op)](self._quantity(node.left), self._quantity(node.right))
            case ast.UnaryOp(op=ast.USub() | ast.UAdd()):
                value = self._quantity(node.operand) * (-1 if isinstance(node.op, ast.USub) else 1)
            case ast.Compare() if len(node.ops) == 1 and type(node.ops[0]) in _COMPARISONS:
                compare = _COMPARISONS[type(node.ops[0])]
                value = compare(self._quantity(node.left), self._quantity(node.comparators[0]))
            case ast.Call(func=ast.Name()) if not node.keywords:
                value = self._call(node)
            case ast.List() | ast.Tuple():
                value = [self._visit(item) for item in node.elts]
            case _:
                raise invalid(
                    "It has a part that is no mathematics. Only numbers, letters, + - * / ^ and functions are."
                )
        return value

    def _quantity(self, node: ast.AST) -> Any:
        value = self._visit(node)
        if isinstance(value, sympy.Expr):
            return value
        raise invalid("One side of an operator is no number or formula. Decimals are written with a point: 3.5.")

    def _number(self, node: ast.Constant) -> Any:
        """Return the literal exactly: 0.1 is one tenth."""
        text = self._source[node.col_offset : node.end_col_offset].replace("_", "")
        match = _LITERAL.fullmatch(text)
        if match is None:
            raise invalid("It has a constant that is no number.")
        if len(match["digits"]) + abs(int((match["exponent"] or "0")[:8])) > MAX_DIGITS:
            raise too_large("A number in it")
        numerator, denominator = Decimal(text).as_integer_ratio()
        return sympy.Rational(numerator, denominator)

    def _name(self, name: str) -> Any:
        if name == self._variable:
            return sympy.Symbol(name)
        if name in CONSTANTS or name.lower() == "pi":
            return CONSTANTS.get(name, sympy.pi)
        if name.lower() in FUNCTIONS or name.lower() in calculus.FUNCTIONS:
            raise invalid(f"{name} is a function: write {name}(...).")
        if not _SYMBOL.fullmatch(name):
            raise invalid("A name in it is longer than 20 characters.")
        return sympy.Symbol(name)

    def _call(self, node: ast.Call) -> Any:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        arguments = [self._visit(argument) for argument in node.args]
        word = name.lower()
        try:
            if word in calculus.FUNCTIONS:
                return calculus.FUNCTIONS[word](self._variable, *arguments)
            if word in FUNCTIONS:
                _check_arguments(name, arguments)
                return FUNCTIONS[word](*arguments)
        except TypeError:
            raise invalid(f"{name} was given what it does not take, or not enough of it.") from None
        near = difflib.get_close_matches(word, [*FUNCTIONS, *calculus.FUNCTIONS], 3)
        hint = f" Did you mean {' or '.join(near)}?" if near else ""
        raise invalid(f"There is no function {name[:40]!r}.{hint}")
