"""One worker process, as the pool sees it."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from dataclasses import dataclass

from shared.worker.errors import WorkerLostError, WorkerNotStartedError
from shared.worker.frames import LENGTH, Message, decoded, encoded, framed

_START_S = 30.0


@dataclass(frozen=True, slots=True)
class WorkerCommand:
    """What a worker runs: a module that calls `serve`, and its arguments, which hold no secret.

    `max_reply_bytes` is the longest answer that is read; `calls` is after how many answers a process is replaced, so
    that nothing piles up in it.
    """

    module: str
    arguments: tuple[str, ...] = ()
    max_reply_bytes: int = 1024 * 1024
    calls: int = 500


class WorkerProcess:
    """Answers one question at a time."""

    def __init__(
        self,
        command: WorkerCommand,
        process: subprocess.Popen[bytes],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._command = command
        self._process = process
        self._reader = reader
        self._writer = writer
        self._calls = 0
        self.idle_since_s = 0.0

    @classmethod
    async def start(cls, command: WorkerCommand) -> WorkerProcess:
        """Start a process and wait until it is ready.

        Raises:
            WorkerNotStartedError: when it cannot be started or is not ready in time.
        """
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                process = _spawn(command, theirs.fileno())
        except OSError as error:
            ours.close()
            raise WorkerNotStartedError from error
        try:
            streams = await asyncio.open_unix_connection(sock=ours)
        except BaseException as error:
            # Also when whoever waits for it leaves.
            ours.close()
            await _end(process)
            if isinstance(error, OSError):
                raise WorkerNotStartedError from error
            raise
        worker = cls(command, process, *streams)
        ready = False
        try:
            async with asyncio.timeout(_START_S):
                await worker._reply()
            ready = True
        except (WorkerLostError, TimeoutError) as error:
            raise WorkerNotStartedError from error
        finally:
            if not ready:
                await worker.kill()
        return worker

    @property
    def pid(self) -> int:
        """Return the process id."""
        return self._process.pid

    @property
    def usable(self) -> bool:
        """Whether it lives and can take another question."""
        return self._process.poll() is None and self._calls < self._command.calls

    async def ask(self, message: Message, body: bytes) -> Message:
        """Return the answer to `message` about `body`.

        Raises:
            WorkerLostError: when the process ends instead, or says what is no answer.
        """
        self._calls += 1
        try:
            self._writer.write(framed(encoded(message)) + framed(body))
            await self._writer.drain()
        except OSError:
            raise await self._lost() from None
        return await self._reply()

    async def kill(self) -> None:
        """End the process now, and wait until it has ended."""
        self._writer.close()
        await _end(self._process)

    async def _reply(self) -> Message:
        try:
            (size,) = LENGTH.unpack(await self._reader.readexactly(LENGTH.size))
            if size <= self._command.max_reply_bytes:
                return decoded(await self._reader.readexactly(size))
        except (asyncio.IncompleteReadError, OSError, ValueError):
            pass
        raise await self._lost()

    async def _lost(self) -> WorkerLostError:
        """Return the error of a process that has closed its socket: it has ended, or is made to."""
        try:
            code = await asyncio.to_thread(self._process.wait, 0.5)
        except subprocess.TimeoutExpired:
            return WorkerLostError(0)
        return WorkerLostError(max(0, -code))


async def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    await asyncio.to_thread(process.wait)


def _spawn(command: WorkerCommand, theirs: int) -> subprocess.Popen[bytes]:
    """Start the process. Popen uses vfork, which runs none of gRPC's fork handlers; the event loop's own would."""
    return subprocess.Popen(  # noqa: S603
        [sys.executable, "-B", "-P", "-s", "-m", command.module, *command.arguments],
        stdin=theirs,
        stdout=theirs,
        # What a library says about its input may quote it.
        stderr=subprocess.DEVNULL,
        # Nothing of this process's environment, which may hold secrets, is any business of the work.
        env={"PYTHONPATH": os.pathsep.join(path for path in sys.path if path), "LANG": "C.UTF-8"},
        cwd="/",
    )
