"""The service's side of a zygote: starts it, asks it for sandboxes, ends it."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sandbox_service.adapters.launcher import wire
from sandbox_service.adapters.launcher.layout import Blueprint
from sandbox_service.adapters.launcher.wire import Message
from sandbox_service.adapters.launcher.zygote import BOOTSTRAP
from sandbox_service.adapters.namespaces.failures import LaunchFailedError, ZygoteDiedError
from sandbox_service.adapters.namespaces.line import Line, LineClosedError

_PACKAGES = Path(__file__).resolve().parents[3]
_SETUP_TIMEOUT_S = 20.0


@dataclass(frozen=True, slots=True)
class Spawned:
    """A PID 1 that has just been forked.

    Attributes:
        process_id: of the host.
        pidfd: becomes readable when nothing of the sandbox is left; its owner closes it.
        end: the service's end of the line to it.
    """

    process_id: int
    pidfd: int
    end: socket.socket

    def open_line(self, on_event: Callable[[Message, list[int]], None]) -> Line:
        """Return the line to it; meant to be called once."""
        return Line(self.end, on_event)


class Zygote:
    """One zygote; `start` it before anything else."""

    def __init__(self, executable: Path, blueprint: Blueprint) -> None:
        self._executable = executable
        self.blueprint = blueprint
        self._process: subprocess.Popen[bytes] | None = None
        self._line: Line | None = None
        self._heard: asyncio.Future[Message] | None = None

    async def start(self) -> None:
        """Start it and wait until it is warm.

        Raises:
            LaunchFailedError: when its isolation cannot be built; nothing is left then.
        """
        loop = asyncio.get_running_loop()
        self._heard = heard = loop.create_future()
        ours, theirs = wire.pair()
        with theirs:
            try:
                self._process = await asyncio.to_thread(self._launch, theirs)
            except OSError as error:
                ours.close()
                raise LaunchFailedError("process", error.errno or 0, str(error)) from error
        self._line = Line(ours, self._hear, self._hang_up)
        try:
            self._line.tell(self.blueprint._asdict())
            async with asyncio.timeout(_SETUP_TIMEOUT_S):
                message = await heard
        except (LineClosedError, TimeoutError) as error:
            await self.stop()
            raise LaunchFailedError("setup", 0, "the zygote did not say that it is ready") from error
        except BaseException:
            await self.stop()
            raise
        if message["event"] != "ready":
            await self.stop()
            raise LaunchFailedError(message["stage"], int(message["errno"]), str(message.get("detail", "")))

    @property
    def is_alive(self) -> bool:
        """Whether it can be asked."""
        return self._line is not None and self._line.is_open

    @property
    def process_id(self) -> int:
        """Its process id on the host; 0 before it is started."""
        return self._process.pid if self._process else 0

    async def spawn(self, *, network: bool) -> Spawned:
        """Return a new sandbox's PID 1, which builds its isolation now.

        Raises:
            LaunchFailedError: when the zygote has died or the kernel refuses.
        """
        if self._line is None:
            raise LaunchFailedError("process", 0, "the zygote is not started")
        ours, theirs = wire.pair()
        with theirs:
            try:
                async with asyncio.timeout(_SETUP_TIMEOUT_S):
                    message, descriptors = await self._line.ask({"network": network}, (theirs.fileno(),))
            except LineClosedError as error:
                ours.close()
                raise ZygoteDiedError from error
            except TimeoutError as error:
                ours.close()
                self._line.close()  # whatever holds it up, the next caller gets another one
                raise LaunchFailedError("process", 0, "the zygote does not answer") from error
            except BaseException:
                ours.close()
                raise
        if not descriptors:
            ours.close()
            raise LaunchFailedError(message["stage"], int(message["errno"]), "the zygote could not fork")
        return Spawned(int(message["pid"]), descriptors[0], ours)

    async def stop(self) -> None:
        """End it; its sandboxes live on until their own lines are closed. Idempotent."""
        if self._line:
            self._line.close()
        process, self._process = self._process, None
        if process:
            with suppress(ProcessLookupError):
                process.kill()
            await asyncio.to_thread(process.wait)

    def _launch(self, theirs: socket.socket) -> subprocess.Popen[bytes]:
        python = str(self._executable)
        number = theirs.fileno()
        return subprocess.Popen(  # noqa: S603  our own launcher, no shell, arguments of our own
            [python, "-I", "-S", "-B", "-u", "-c", BOOTSTRAP, str(_PACKAGES), str(number)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={},
            close_fds=True,
            pass_fds=(number,),
            start_new_session=True,
            cwd=os.sep,
        )

    def _hear(self, message: Message, _descriptors: list[int]) -> None:
        if self._heard and not self._heard.done():
            self._heard.set_result(message)

    def _hang_up(self) -> None:
        if self._heard and not self._heard.done():
            self._heard.set_exception(LineClosedError())
            self._heard.exception()
