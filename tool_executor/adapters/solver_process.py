"""Calculates in processes of their own, which can be killed at any time."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from typing import cast

from shared.telemetry.logging import get_logger
from tool_executor.domain.calculation import Calculation, CalculationError

_log = get_logger(__name__)
_WORKER = "tool_executor.adapters.solver_worker"
_MAX_ANSWER_BYTES = 1_048_576
_START_S = 30.0
_WALL_FACTOR = 1.5
_CALLS_OF_WORKER = 500
"""Calculations after which a worker is replaced, so that nothing piles up in it."""


class _WorkerLostError(Exception):
    """The worker ended before it answered; `signalled` is the signal that ended it, or 0."""

    def __init__(self, signalled: int) -> None:
        super().__init__(f"signal {signalled}")
        self.signalled = signalled


class _Worker:
    """One process, which answers one question at a time."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.calls = 0

    @classmethod
    async def start(cls, memory_bytes: int) -> _Worker:
        """Start a process and wait until it is ready. Its environment holds nothing but where to find the code."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-B", "-P", "-s", "-m", _WORKER, str(memory_bytes),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            limit=_MAX_ANSWER_BYTES,
        )  # fmt: skip
        worker = cls(process)
        try:
            async with asyncio.timeout(_START_S):
                await worker._line()
        except BaseException:
            await worker.kill()
            raise
        return worker

    @property
    def usable(self) -> bool:
        """Whether it can take another question."""
        return self._process.returncode is None and self.calls < _CALLS_OF_WORKER

    async def ask(self, question: dict[str, object]) -> dict[str, object]:
        """Return the answer to `question`. Raises _WorkerLostError when the process ends instead."""
        self.calls += 1
        stdin = self._process.stdin
        if stdin is None:
            raise _WorkerLostError(0)
        try:
            stdin.write(json.dumps(question).encode() + b"\n")
            await stdin.drain()
        except ConnectionError:
            raise _WorkerLostError(0) from None
        return await self._line()

    async def kill(self) -> None:
        """End the process now."""
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()

    async def _line(self) -> dict[str, object]:
        stdout = self._process.stdout
        line = await stdout.readline() if stdout else b""
        if not line.endswith(b"\n"):
            raise _WorkerLostError(-min(0, await self._process.wait()))
        return cast("dict[str, object]", json.loads(line))


class ProcessSolver:
    """A few worker processes, started when they are needed and kept for the next question.

    Args:
        workers: most processes; further questions wait.
        cpu_s: CPU seconds of one question; the kernel ends a worker beyond.
        memory_bytes: address space of a worker.
        warm_up_delay_s: seconds until `keep_warm` starts the first one.
    """

    def __init__(self, *, workers: int, cpu_s: int, memory_bytes: int, warm_up_delay_s: float) -> None:
        self._slots = asyncio.Semaphore(workers)
        self._starting = asyncio.Lock()
        self._idle: list[_Worker] = []
        self._lost = asyncio.Event()
        self._cpu_s = cpu_s
        self._memory_bytes = memory_bytes
        self._warm_up_delay_s = warm_up_delay_s

    async def solve(self, expression: str, variable: str | None) -> Calculation:
        """Evaluate `expression`. Cancelling the call kills the worker that was at it.

        Raises:
            CalculationError: as the port says.
        """
        async with self._slots:
            worker = await self._worker()
            try:
                async with asyncio.timeout(self._cpu_s * _WALL_FACTOR):
                    reply = await worker.ask({"expression": expression, "variable": variable, "cpu_s": self._cpu_s})
            except TimeoutError:
                raise self._too_slow() from None
            except _WorkerLostError as error:
                raise self._lost_as(error) from error
            else:
                if worker.usable:
                    self._idle.append(worker)
            finally:
                if worker not in self._idle:
                    self._lost.set()
                    await worker.kill()
        return _calculation(reply)

    async def keep_warm(self) -> None:
        """Keep one worker ready, from `warm_up_delay_s` on. Runs until it is cancelled."""
        await asyncio.sleep(self._warm_up_delay_s)
        while True:
            self._lost.clear()
            async with self._slots, self._starting:
                if not self._idle:
                    try:
                        self._idle.append(await self._started())
                    except CalculationError as error:
                        _log.warning("calculator_not_warm", reason=error.reason)
            await self._lost.wait()

    async def stop(self) -> None:
        """End all workers."""
        while self._idle:
            await self._idle.pop().kill()

    async def _worker(self) -> _Worker:
        worker = await self._idle_one()
        if worker is not None:
            return worker
        # One at a time: who comes while one is being started waits for that one, if nobody else takes it.
        async with self._starting:
            return await self._idle_one() or await self._started()

    async def _idle_one(self) -> _Worker | None:
        while self._idle:
            worker = self._idle.pop()
            if worker.usable:
                return worker
            await worker.kill()
        return None

    async def _started(self) -> _Worker:
        try:
            return await _Worker.start(self._memory_bytes)
        except (_WorkerLostError, OSError, TimeoutError) as error:
            _log.error("calculator_not_started", error=type(error).__name__)
            raise CalculationError(
                "CALCULATOR_UNAVAILABLE", "The calculator cannot be started now. Try again in a moment."
            ) from error

    def _too_slow(self) -> CalculationError:
        return CalculationError(
            "CALCULATION_TOO_SLOW", f"It takes more than {self._cpu_s} s of computing. Ask for something simpler."
        )

    def _lost_as(self, error: _WorkerLostError) -> CalculationError:
        if error.signalled == signal.SIGXCPU:
            return self._too_slow()
        _log.error("calculator_lost", signal=error.signalled)
        return CalculationError(
            "CALCULATION_TOO_LARGE", "It broke the calculator, most likely by its size. Ask for something simpler."
        )


def _calculation(reply: dict[str, object]) -> Calculation:
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
