"""Answers calculations, one JSON object a line, until standard input ends.

Arguments: the address space in bytes. A line is `{"expression", "variable", "cpu_s"}`; the answer is
`{"answer": {...}}` or `{"error": {"reason", "message"}}`. The first line written is `{"ready": true}`.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
from typing import Any

from tool_executor.adapters.solver_worker.answer import answer
from tool_executor.adapters.solver_worker.limits import MAX_DIGITS, allow_cpu, limit_process
from tool_executor.domain.calculation import CalculationError

_MAX_LINE_BYTES = 65_536
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


def _follow_parent(lines: queue.Queue[bytes]) -> None:
    """Read lines until there are no more, then end the process at once, whatever it computes."""
    while line := sys.stdin.buffer.readline(_MAX_LINE_BYTES):
        lines.put(line)
    os._exit(0)


def _error(reason: str, message: str) -> dict[str, Any]:
    return {"error": {"reason": reason, "message": message}}


def _reply(request: dict[str, Any]) -> dict[str, Any]:
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
    """Serve until the parent closes standard input or dies."""
    limit_process(int(sys.argv[1]))
    # Numbers of MAX_DIGITS digits are to be printed; sums and products of two such ones are met on the way.
    sys.set_int_max_str_digits(2 * MAX_DIGITS + 100)
    out = os.fdopen(os.dup(1), "wb")
    # Nothing else may write where the answers go.
    os.dup2(2, 1)
    lines: queue.Queue[bytes] = queue.Queue(maxsize=1)
    threading.Thread(target=_follow_parent, args=(lines,), daemon=True).start()
    reply: dict[str, Any] = {"ready": True}
    while True:
        out.write(json.dumps(reply).encode() + b"\n")
        out.flush()
        reply = _reply(json.loads(lines.get()))


if __name__ == "__main__":
    main()
