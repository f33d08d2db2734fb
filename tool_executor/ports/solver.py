"""Does mathematics."""

from __future__ import annotations

from typing import Protocol

from tool_executor.domain.calculation import Calculation


class Solver(Protocol):
    """Evaluates mathematical expressions exactly."""

    async def solve(self, expression: str, variable: str | None) -> Calculation:
        """Evaluate `expression` within the solver's own limits of time and size. Idempotent.

        Args:
            expression: what to compute, as a person or a model writes it, at most 2,000 characters.
            variable: the unknown, when it cannot be told from the expression.

        Raises:
            CalculationError: when it cannot be read, has no answer, or is too large or too slow.
        """
        ...
