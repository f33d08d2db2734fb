"""The tool `calculator`: exact mathematics."""

from __future__ import annotations

from typing import cast

from tool_executor.adapters.tool_definition_yaml import load_definition
from tool_executor.domain.calculation import CalculationError, sentence
from tool_executor.domain.tool_call import CallContext, ToolFailure, ToolOutput, ToolStatus
from tool_executor.domain.tool_definition import JsonObject, ToolDefinition
from tool_executor.ports.solver import Solver


class CalculatorTool:
    """Evaluates an expression and tells the answer."""

    def __init__(self, solver: Solver) -> None:
        self._solver = solver
        self._definition = load_definition("calculator")

    @property
    def definition(self) -> ToolDefinition:
        """What the tool says of itself."""
        return self._definition

    async def run(self, arguments: JsonObject, call: CallContext) -> ToolOutput:  # noqa: ARG002 - anybody's maths
        """Evaluate the expression of `arguments`. Idempotent.

        Raises:
            ToolFailure: EXPRESSION_INVALID with what to write instead (as invalid arguments), MATH_UNDEFINED,
                MATH_UNSUPPORTED, CALCULATION_TOO_LARGE, CALCULATION_TOO_SLOW or CALCULATOR_UNAVAILABLE.
        """
        try:
            found = await self._solver.solve(
                cast("str", arguments["expression"]), cast("str | None", arguments.get("variable"))
            )
        except CalculationError as error:
            wrong = error.reason == "EXPRESSION_INVALID"
            status = ToolStatus.INVALID_ARGUMENTS if wrong else ToolStatus.ERROR
            raise ToolFailure(error.reason, error.message, status=status) from error
        value: JsonObject = {
            "expression": found.expression,
            "understood_as": found.understood_as,
            "result": found.result,
            **({} if found.decimal is None else {"decimal": found.decimal}),
        }
        return ToolOutput(value, sentence(found))
