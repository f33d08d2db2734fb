"""A few worker processes, started when they are needed and kept for the next question."""

from __future__ import annotations

import asyncio

from shared.telemetry.logging import get_logger
from shared.worker.errors import WorkerLostError, WorkerNotStartedError, WorkersBusyError, WorkerSlowError
from shared.worker.frames import Message
from shared.worker.process import WorkerCommand, WorkerProcess

_log = get_logger(__name__)


class WorkerPool:
    """Asks processes that run `command`. Call `stop` at the end; `keep_warm` and `retire_idle` may run beside it.

    Args:
        command: what a worker runs.
        workers: most processes; further questions wait for their turn.
        in_hand: most questions that are answered or wait.
    """

    def __init__(self, command: WorkerCommand, *, workers: int, in_hand: int = 64) -> None:
        self._command = command
        self._turns = asyncio.Semaphore(workers)
        self._in_hand = in_hand
        self._asked = 0
        self._starting = asyncio.Lock()
        self._idle: list[WorkerProcess] = []
        self._lost = asyncio.Event()

    async def ask(self, message: Message, body: bytes = b"", *, timeout_s: float) -> Message:
        """Return a process's answer to `message` about `body`. Cancelling the call kills the process that was at it.

        Args:
            message: the question.
            body: bytes that go with it.
            timeout_s: longest time for the answer, once the question's turn has come and a process is ready.

        Raises:
            WorkersBusyError: when too many questions are in hand.
            WorkerNotStartedError: when no process can be started.
            WorkerSlowError: when there is no answer in time.
            WorkerLostError: when the process ended instead of answering.
        """
        if self._asked >= self._in_hand:
            raise WorkersBusyError
        self._asked += 1
        try:
            async with self._turns:
                return await self._answered(await self._worker(), message, body, timeout_s)
        finally:
            self._asked -= 1

    async def keep_warm(self, delay_s: float) -> None:
        """Keep one process ready, from `delay_s` seconds on, until cancelled."""
        await asyncio.sleep(delay_s)
        while True:
            self._lost.clear()
            async with self._turns, self._starting:
                if not self._idle:
                    try:
                        self._put_back(await WorkerProcess.start(self._command))
                    except WorkerNotStartedError:
                        _log.warning("worker_not_warm", worker=self._command.module)
            await self._lost.wait()

    async def retire_idle(self, idle_s: float) -> None:
        """End processes that have had no work for `idle_s` seconds, until cancelled."""
        while True:
            await asyncio.sleep(idle_s / 2)
            before_s = asyncio.get_running_loop().time() - idle_s
            while self._idle and self._idle[0].idle_since_s <= before_s:
                await self._idle.pop(0).kill()

    async def stop(self) -> None:
        """End all processes."""
        while self._idle:
            await self._idle.pop().kill()

    async def _answered(self, worker: WorkerProcess, message: Message, body: bytes, timeout_s: float) -> Message:
        answered = False
        try:
            async with asyncio.timeout(timeout_s):
                reply = await worker.ask(message, body)
            answered = True
        except TimeoutError:
            _log.warning("worker_slow", worker=self._command.module, size_bytes=len(body))
            raise WorkerSlowError from None
        except WorkerLostError as error:
            _log.warning("worker_lost", worker=self._command.module, signal=error.signalled, size_bytes=len(body))
            raise
        finally:
            # A process that owes an answer must never be asked again: it would give it to somebody else.
            if answered and worker.usable:
                self._put_back(worker)
            else:
                self._lost.set()
                await worker.kill()
        return reply

    def _put_back(self, worker: WorkerProcess) -> None:
        worker.idle_since_s = asyncio.get_running_loop().time()
        self._idle.append(worker)

    async def _worker(self) -> WorkerProcess:
        worker = await self._idle_one()
        if worker is not None:
            return worker
        # One at a time: who comes while one is being started waits for that one, if nobody else takes it.
        async with self._starting:
            return await self._idle_one() or await WorkerProcess.start(self._command)

    async def _idle_one(self) -> WorkerProcess | None:
        while self._idle:
            worker = self._idle.pop()
            if worker.usable:
                return worker
            await worker.kill()
        return None
