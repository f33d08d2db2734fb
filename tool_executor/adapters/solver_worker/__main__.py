"""Answers calculations until its service leaves.

Arguments: the address space in bytes. A question is `{"expression", "variable", "cpu_s"}`; the answer is
`{"answer": {...}}` or `{"error": {"reason", "message"}}`.
"""

from __future__ import annotations

import sys

from shared.worker.frames import Message
from shared.worker.serve import limit_process, serve
from tool_executor.adapters.solver_worker.answer import answer
from tool_executor.adapters.solver_worker.limits import MAX_DIGITS, allow_cpu
from tool_executor.domain.calculation import CalculationError

# What sympy raises for mathematics that it cannot do. Anything else ends the process, and the service says so.
_UNSUPPORTED = (
    ArithmeticError,
    AttributeError,
    AssertionError,
    LookupError,
    NotImplementedError,
    TypeError,
    ValueError,
)


def _error(reason: str, message: str) -> Message:
    return {"error": {"reason": reason, "message": message}}


def _reply(request: Message, _body: bytes) -> Message:
    allow_cpu(int(request["cpu_s"]))
    try:
        found = answer(request["expression"], request["variable"])
    except CalculationError as error:
        return _error(error.reason, error.message)
    except (MemoryError, RecursionError):
        return _error("CALCULATION_TOO_LARGE", "It needs more memory than it may. Ask for something smaller.")
    except _UNSUPPORTED:
        return _error("MATH_UNSUPPORTED", "The calculator cannot do this. Write it in another way or in steps.")
    return {
        "answer": {
            "expression": found.expression,
            "understood_as": found.understood_as,
            "result": found.result,
            "decimal": found.decimal,
            "decimal_exact": found.decimal_exact,
        }
    }


def main() -> None:
    """Serve until the service has left."""
    limit_process(int(sys.argv[1]))
    # Numbers of MAX_DIGITS digits are to be printed; sums and products of two such ones are met on the way.
    sys.set_int_max_str_digits(2 * MAX_DIGITS + 100)
    serve(_reply)


if __name__ == "__main__":
    main()
