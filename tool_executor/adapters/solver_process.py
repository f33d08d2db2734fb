"""Calculates in processes of their own, which can be killed at any time."""

from __future__ import annotations

import signal
from typing import cast

from shared.telemetry.logging import get_logger
from shared.worker import (
    Message,
    WorkerCommand,
    WorkerLostError,
    WorkerNotStartedError,
    WorkerPool,
    WorkersBusyError,
    WorkerSlowError,
)
from tool_executor.domain.calculation import Calculation, CalculationError

_log = get_logger(__name__)
_WORKER = "tool_executor.adapters.solver_worker"
_WALL_FACTOR = 1.5


class ProcessSolver:
    """Calculates in a few worker processes, started when they are needed and kept for the next question.

    Args:
        workers: most processes; further questions wait.
        cpu_s: CPU seconds of one question; the kernel ends a worker beyond.
        memory_bytes: address space of a worker.
        warm_up_delay_s: seconds until `keep_warm` starts the first one.
    """

    def __init__(self, *, workers: int, cpu_s: int, memory_bytes: int, warm_up_delay_s: float) -> None:
        self._pool = WorkerPool(WorkerCommand(_WORKER, (str(memory_bytes),)), workers=workers)
        self._cpu_s = cpu_s
        self._warm_up_delay_s = warm_up_delay_s

    async def solve(self, expression: str, variable: str | None) -> Calculation:
        """Evaluate `expression`. Cancelling the call kills the worker that was at it.

        Raises:
            CalculationError: as the port says.
        """
        question = {"expression": expression, "variable": variable, "cpu_s": self._cpu_s}
        try:
            reply = await self._pool.ask(question, timeout_s=self._cpu_s * _WALL_FACTOR)
        except WorkerSlowError:
            raise self._too_slow() from None
        except WorkerLostError as error:
            raise self._lost_as(error) from error
        except (WorkersBusyError, WorkerNotStartedError) as error:
            _log.error("calculator_unavailable", error=type(error).__name__)
            raise CalculationError(
                "CALCULATOR_UNAVAILABLE", "The calculator cannot be used now. Try again in a moment."
            ) from error
        return _calculation(reply)

    async def keep_warm(self) -> None:
        """Keep one worker ready, from `warm_up_delay_s` on. Runs until it is cancelled."""
        await self._pool.keep_warm(self._warm_up_delay_s)

    async def stop(self) -> None:
        """End all workers."""
        await self._pool.stop()

    def _too_slow(self) -> CalculationError:
        return CalculationError(
            "CALCULATION_TOO_SLOW", f"It takes more than {self._cpu_s} s of computing. Ask for something simpler."
        )

    def _lost_as(self, error: WorkerLostError) -> CalculationError:
        if error.signalled == signal.SIGXCPU:
            return self._too_slow()
        return CalculationError(
            "CALCULATION_TOO_LARGE", "It broke the calculator, most likely by its size. Ask for something simpler."
        )


def _calculation(reply: Message) -> Calculation:
    if "error" in reply:
        error = cast("dict[str, str]", reply["error"])
        raise CalculationError(error["reason"], error["message"])
    found = cast("dict[str, str]", reply["answer"])
    return Calculation(
        expression=found["expression"],
        understood_as=found["understood_as"],
        result=found["result"],
        decimal=found["decimal"],
        decimal_exact=bool(found["decimal_exact"]),
    )
