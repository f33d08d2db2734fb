"""The solver in its own process: the same answers, and nothing gets out of hand."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncGenerator

import psutil
import pytest

from tool_executor.adapters.solver_process import ProcessSolver
from tool_executor.domain.calculation import CalculationError

MEMORY = 768 * 1024 * 1024


@pytest.fixture
async def solver() -> AsyncGenerator[ProcessSolver, None]:
    made = ProcessSolver(workers=2, cpu_s=1, memory_bytes=MEMORY, warm_up_delay_s=0)
    yield made
    await made.stop()
    assert _workers() == []


def _workers(parent: int | None = None) -> list[psutil.Process]:
    """Return the worker processes of this test, or of `parent`."""
    children = psutil.Process(parent or os.getpid()).children()
    return [child for child in children if _is_worker(child)]


def _is_worker(process: psutil.Process) -> bool:
    try:
        return "tool_executor.adapters.solver_worker" in process.cmdline()
    except psutil.Error:
        # It has ended meanwhile.
        return False


async def _reason(solver: ProcessSolver, expression: str) -> str:
    with pytest.raises(CalculationError) as caught:
        await solver.solve(expression, None)
    return caught.value.reason


async def test_one_process_answers_again_and_again(solver: ProcessSolver) -> None:
    first = await solver.solve("What is 23*17 + sqrt(144)?", None)
    assert (first.result, first.decimal, first.decimal_exact) == ("403", "403", True)
    assert (await solver.solve("a*t = 6", "t")).result == "t = 6/a"
    assert (await solver.solve("x^2 = 4", None)).decimal is None
    assert await _reason(solver, "1/0") == "MATH_UNDEFINED"
    assert await _reason(solver, "hello world") == "EXPRESSION_INVALID"
    (worker,) = _workers()
    assert {name for name in worker.environ() if name != "LC_CTYPE"} == {"PYTHONPATH", "LANG"}


async def test_large_numbers_come_out_whole(solver: ProcessSolver) -> None:
    found = await solver.solve("3000!", None)
    assert len(found.result) == 9_131
    assert found.decimal == "4.14935960343785e+9130"
    assert await _reason(solver, "factorial(10**9)") == "CALCULATION_TOO_LARGE"
    assert await _reason(solver, "9**9**9") == "CALCULATION_TOO_LARGE"


@pytest.mark.parametrize("expression", ["expand((x+y+z+w)^300)", "floor(exp(10^8))"], ids=["algebra", "digits"])
async def test_what_takes_too_long_is_stopped_and_the_next_works(solver: ProcessSolver, expression: str) -> None:
    await solver.solve("1", None)
    started = time.monotonic()
    assert await _reason(solver, expression) in {"CALCULATION_TOO_SLOW", "CALCULATION_TOO_LARGE"}
    assert time.monotonic() - started < 10
    assert (await solver.solve("1 + 1", None)).result == "2"


async def test_a_caller_who_leaves_takes_the_work_along(solver: ProcessSolver) -> None:
    await solver.solve("1", None)
    call = asyncio.create_task(solver.solve("expand((x+y+z+w)^300)", None))
    await asyncio.sleep(0.1)
    (worker,) = _workers()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert not worker.is_running()


async def test_a_killed_worker_is_an_error_and_is_replaced(solver: ProcessSolver) -> None:
    await solver.solve("1", None)
    call = asyncio.create_task(_reason(solver, "expand((x+y+z+w)^300)"))
    await asyncio.sleep(0.1)
    _workers()[0].kill()
    assert await call == "CALCULATION_TOO_LARGE"
    assert (await solver.solve("1 + 1", None)).result == "2"


async def test_a_worker_that_died_while_idle_is_not_noticed(solver: ProcessSolver) -> None:
    await solver.solve("1", None)
    worker = _workers()[0]
    worker.kill()
    while worker.is_running() and worker.status() != psutil.STATUS_ZOMBIE:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    assert (await solver.solve("1 + 1", None)).result == "2"


async def test_one_is_kept_warm(solver: ProcessSolver) -> None:
    keeping = asyncio.create_task(solver.keep_warm())
    async with asyncio.timeout(20):
        while not _workers():
            await asyncio.sleep(0.02)
        await solver.solve("1", None)
        (first,) = _workers()
        await _reason(solver, "expand((x+y+z+w)^300)")
        while not [worker for worker in _workers() if worker.pid != first.pid]:
            await asyncio.sleep(0.02)
    keeping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await keeping


async def test_two_run_at_once_and_no_more(solver: ProcessSolver) -> None:
    answers = await asyncio.gather(*(solver.solve(f"{number} + 1", None) for number in range(6)))
    assert [found.result for found in answers] == [str(number + 1) for number in range(6)]
    assert len(_workers()) == 2


_PARENT = f"""
import asyncio
from tool_executor.adapters.solver_process import ProcessSolver
async def main():
    solver = ProcessSolver(workers=1, cpu_s=30, memory_bytes={MEMORY}, warm_up_delay_s=0)
    await solver.solve("1", None)
    print("ready", flush=True)
    await solver.solve("expand((x+y+z+w)^300)", None)
asyncio.run(main())
"""


def test_workers_end_when_their_parent_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", _PARENT], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        while parent.stdout.readline() != "ready\n":
            assert parent.poll() is None
        (worker,) = _workers(parent.pid)
        time.sleep(0.1)
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    psutil.wait_procs([worker], timeout=5)
    assert not worker.is_running()
