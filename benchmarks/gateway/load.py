"""The load generator: does one job after the other: `python -m benchmarks.gateway.load`, with a job on each line."""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from collections import deque

import uvloop

from benchmarks.gateway.job import Job, Outcome, job_of
from benchmarks.gateway.load_line import Line

_MOST_WRONG = 50


class Load:
    """Does one job."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._request = job.request()
        self._loop = asyncio.get_running_loop()
        self._over: asyncio.Future[None] = self._loop.create_future()
        self._lines: list[Line] = []
        self._resting: deque[Line] = deque()
        self._asked = self._answered = self._wrong = 0
        self._what = ""
        self._began = self._ended = 0.0
        self._latencies_ms: list[float] = []
        self._first_ms: list[float] = []

    async def run(self) -> Outcome:
        """Does the job and says how it went."""
        job = self._job
        lines = [await self._opened() for _ in range(job.connections)]
        self._began = self._ended = time.perf_counter()
        if job.rate:
            self._resting.extend(lines)
            await self._rated()
        else:
            for line in lines:
                self._next(line)
            await self._over
        for line in self._lines:
            line.close()
        # Those that are closed say so to their lines before the next job begins.
        await asyncio.sleep(0.01)
        return Outcome(
            self._answered,
            self._wrong,
            self._what,
            self._ended - self._began,
            self._latencies_ms,
            self._first_ms,
            sum(line.pieces for line in self._lines),
        )

    def answered(self, line: Line, wrong: str) -> None:
        """Counts an answer, and asks for the next one."""
        now = self._ended = time.perf_counter()
        if wrong:
            self._wrong += 1
            self._what = self._what or wrong
        else:
            self._answered += 1
        if self._job.rate:
            self._latencies_ms.append((now - line.began) * 1000)
            self._first_ms.append((line.first - line.began) * 1000)
            self._resting.append(line)
            self._end_if_all()
        elif line.is_open:
            self._next(line)
        else:
            self._loop.create_task(self._replace())

    def _next(self, line: Line) -> None:
        if self._is_enough():
            self._end_if_all()
            return
        self._asked += 1
        line.ask()

    def _is_enough(self) -> bool:
        job = self._job
        if self._wrong >= _MOST_WRONG:
            return True
        if job.answers:
            return self._asked >= job.answers
        return time.perf_counter() - self._began >= job.seconds

    def _end_if_all(self) -> None:
        if self._is_enough() and self._answered + self._wrong == self._asked and not self._over.done():
            self._over.set_result(None)

    async def _rated(self) -> None:
        for number in range(self._job.answers):
            await asyncio.sleep(self._began + number / self._job.rate - time.perf_counter())
            line = self._resting.popleft() if self._resting else await self._opened()
            if not line.is_open:
                line = await self._opened()
            self._asked += 1
            line.ask()
        await self._over

    async def _opened(self) -> Line:
        job = self._job
        _, line = await self._loop.create_connection(
            lambda: Line(self, self._request, job.pieces), "127.0.0.1", job.endpoint.port
        )
        self._lines.append(line)
        return line

    async def _replace(self) -> None:
        self._next(await self._opened())


async def _work() -> None:
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.buffer.readline):
        try:
            outcome = await Load(job_of(line)).run()
        except OSError as error:
            outcome = Outcome(wrong=1, what=str(error))
        sys.stdout.buffer.write(outcome.line())
        sys.stdout.buffer.flush()
        gc.collect()


if __name__ == "__main__":
    # Nothing that it measures may wait for its own garbage.
    gc.disable()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_work())
