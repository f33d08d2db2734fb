"""One sandbox: a PID 1 in namespaces of its own, with its control group, from its fork until nothing of it is left."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Protocol

from sandbox_service.adapters.egress import doorway
from sandbox_service.adapters.egress.dialler import EgressDialler
from sandbox_service.adapters.egress.proxy import EgressProxy
from sandbox_service.adapters.launcher.wire import Message
from sandbox_service.adapters.namespaces.cgroups import GroupUsage, RunGroup
from sandbox_service.adapters.namespaces.execution import Execution, Terms
from sandbox_service.adapters.namespaces.failures import LaunchFailedError
from sandbox_service.adapters.namespaces.guest_channel import GuestChannel
from sandbox_service.adapters.namespaces.host import HostSetup
from sandbox_service.adapters.namespaces.line import LineClosedError, LineToInit
from sandbox_service.adapters.namespaces.streams import Streams, open_streams, sealed
from sandbox_service.domain.egress import EgressLimits, EgressReport
from sandbox_service.domain.errors import file_not_found, file_refused, run_not_started, sandbox_gone
from sandbox_service.domain.limits import RunLimits
from sandbox_service.domain.long_process import LongProgram
from sandbox_service.domain.outcome import KillReason
from sandbox_service.domain.program import Language, Program
from sandbox_service.domain.run_event import Finished, RunEvent
from sandbox_service.domain.workspace import Listing
from sandbox_service.ports.isolation_backend import SandboxSpec
from shared.clock import Clock
from shared.telemetry.logging import get_logger

_GRACE_S = 1.0
_AGAIN_S = 0.1
_SETUP_TIMEOUT_S = 20.0
_log = get_logger(__name__)


class Born(Protocol):
    """A PID 1 that has just been started."""

    @property
    def pidfd(self) -> int:
        """Becomes readable when nothing of the sandbox is left; its owner closes it."""
        ...

    def open_line(self, on_event: Callable[[Message, list[int]], None]) -> LineToInit:
        """Return the line to it; meant to be called once."""
        ...


@dataclass(frozen=True, slots=True)
class Around:
    """What sandboxes share.

    Attributes:
        user_id: host user of their programs.
        clock: measures time.
        dialler: connects those that are granted egress.
    """

    user_id: int
    clock: Clock
    dialler: EgressDialler


class NamespaceSandbox:
    """Implements Sandbox.

    Args:
        host: what is the same for all.
        spawned: its PID 1.
        group: its control group, which PID 1 is in; None where there is none.
        around: what else it needs.
    """

    def __init__(self, host: HostSetup, spawned: Born, group: RunGroup | None, around: Around) -> None:
        self._host = host
        self._spawned = spawned
        self._group = group
        self._user_id = around.user_id
        self._clock = around.clock
        self._dialler = around.dialler
        self._loop = asyncio.get_running_loop()
        self._heard: asyncio.Future[Message] = self._loop.create_future()
        self._ended: asyncio.Future[Message | None] = self._loop.create_future()
        self._gone = asyncio.Event()
        self._line = spawned.open_line(self._hear)
        self._loop.add_reader(spawned.pidfd, self._note_death)
        self._spec: SandboxSpec | None = None
        self._streams: Streams | None = None
        self._channel: GuestChannel | None = None
        self._execution: Execution | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._hard_kill: asyncio.TimerHandle | None = None
        self._burying: asyncio.Task[None] | None = None
        self._on_gone: Callable[[], None] | None = None
        self._then: list[Callable[[], None]] = []
        self._start_failure: Message | None = None
        self._doors: list[int] = []
        self._egress: EgressProxy | None = None

    async def ready(self) -> None:
        """Wait until its isolation is built.

        Raises:
            LaunchFailedError: when it cannot be.
        """
        try:
            async with asyncio.timeout(_SETUP_TIMEOUT_S):
                message = await asyncio.shield(self._heard)
        except TimeoutError as error:
            raise LaunchFailedError("setup", 0, "PID 1 did not say that it is ready") from error
        if message["event"] != "ready":
            raise LaunchFailedError(str(message["stage"]), int(message["errno"]), "PID 1 could not build the isolation")

    def hand_out(self, spec: SandboxSpec, on_gone: Callable[[], None]) -> None:
        """Make a prepared sandbox somebody's.

        Raises:
            LaunchFailedError: when it has died or its limits cannot be set; destroy it then.
        """
        if self._gone.is_set():
            raise LaunchFailedError("process", 0, "PID 1 has died while it was ready")
        if self._group:
            try:
                self._group.limit(self._host.group_limits(spec.limits))
            except OSError as error:
                raise LaunchFailedError("process", error.errno or 0, "its control group takes no limits") from error
        if spec.egress:
            self._egress = EgressProxy(spec.egress, EgressLimits(), self._dialler)
            self._egress.start(self._doors.pop())
        self._spec = spec
        self._on_gone = on_gone

    def when_buried(self, then: Callable[[], None]) -> None:
        """Call `then` once nothing of it is left, its control group included."""
        self._then.append(then)

    @property
    def is_alive(self) -> bool:
        """Whether its PID 1 lives and its kernel, if it had one, too."""
        return self._line.is_open and not self._ended.done()

    async def write_file(self, path: str, offset: int, data: bytes) -> int:
        """See the port."""
        content = sealed("file", data)
        try:
            message, _ = await self._ask({"op": "write", "path": path, "offset": offset}, (content,))
        finally:
            os.close(content)
        _check(message, path)
        return int(message["size"])

    async def read_file(self, path: str, offset: int, length: int) -> tuple[bytes, int]:
        """See the port."""
        wanted: Message = {"op": "open", "path": path, "offset": offset, "length": length}
        message, descriptors = await self._ask(wanted)
        try:
            _check(message, path)
            size = os.fstat(descriptors[0]).st_size
            if offset >= size:  # however far: the kernel counts in signed numbers
                return b"", size
            return await asyncio.to_thread(os.pread, descriptors[0], length, offset), size
        finally:
            for fd in descriptors:
                os.close(fd)

    async def list_files(self) -> Listing:
        """See the port."""
        message, _ = await self._ask({"op": "list"})
        pieces = [piece for part in (*message["before"], message) for piece in part["files"]]
        files = tuple((str(path), int(size), int(changed_ns)) for path, size, changed_ns in pieces)
        return Listing(files, bool(message["truncated"]))

    async def run(self, execution_id: str, program: Program) -> AsyncGenerator[RunEvent, None]:
        """See the port."""
        spec = self._granted()
        code = sealed("code", program.code.encode())
        try:
            streams = open_streams(self._user_id, program.stdin, channel=program.language is Language.PYTHON)
            order = self._order(spec, cpu_s=int(spec.limits.wall_time_s) + 2)
            if program.language is Language.PYTHON:
                order |= {"kind": "script", "code": "main.py"}
            else:
                order |= {"kind": "exec", "code": "main.sh"}
            await self._start(order, streams, (code,))
        finally:
            os.close(code)
        async with aclosing(self._executed(Terms(execution_id, spec.limits))) as events:
            async for event in events:
                yield event

    async def open_kernel(self, language: Language) -> None:
        """See the port."""
        kind = "cells" if language is Language.PYTHON else "shell"
        streams = open_streams(self._user_id, b"", channel=True)
        await self._start(self._order(self._granted(), cpu_s=0) | {"kind": kind}, streams)

    async def run_cell(self, execution_id: str, code: str, limits: RunLimits) -> AsyncGenerator[RunEvent, None]:
        """See the port."""
        if self._channel is None or not self.is_alive:
            raise sandbox_gone()
        async with aclosing(self._executed(Terms(execution_id, limits, code))) as events:
            async for event in events:
                yield event

    async def start_process(self, program: LongProgram) -> AsyncGenerator[RunEvent, None]:
        """See the port."""
        spec = self._granted()
        streams = open_streams(self._user_id, None, channel=False)
        order = self._order(spec, cpu_s=0)
        if self._host.counts_memory:  # runtimes with a heap of their own reserve far more than they touch
            order["limits"]["address_space_bytes"] = 0
        order |= {"kind": "exec", "argv": list(program.argv)}
        order["environment"] |= program.environment
        await self._start(order, streams)
        endless = RunLimits(0, spec.limits.memory_bytes, spec.limits.processes, 0)
        async with aclosing(self._executed(Terms("", endless))) as events:
            async for event in events:
                yield event

    async def write_input(self, data: bytes, *, end: bool) -> None:
        """See the port."""
        streams = self._streams
        if streams is None or streams.stdin_fd < 0:
            raise sandbox_gone()
        view = memoryview(data)
        try:
            while view:
                try:
                    view = view[os.write(streams.stdin_fd, view) :]
                except BlockingIOError:
                    await self._writable(streams)
        except OSError as error:
            raise sandbox_gone() from error
        if end:
            os.close(streams.stdin_fd)
            streams.stdin_fd = -1

    def kill(self, reason: KillReason) -> None:
        """See the port."""
        if self._execution:
            self._execution.kill(reason)

    def discard(self) -> None:
        """See the port."""
        if self._execution:
            self._execution.kill(KillReason.ABANDONED)
        self._line.close()
        self._arm_hard_kill()

    async def destroy(self) -> None:
        """See the port."""
        self.discard()
        await self._gone.wait()
        if self._burying:
            await asyncio.shield(self._burying)
        if self._tasks:
            await asyncio.wait(set(self._tasks))

    # What an execution needs of its sandbox.

    async def ended(self) -> Message | None:
        """See Place."""
        return await asyncio.shield(self._ended)

    async def usage(self) -> GroupUsage:
        """See Place."""
        if self._group:
            return self._group.usage()
        if self._line.is_open and not self._ended.done():
            with suppress(LineClosedError):
                message, _ = await self._line.ask({"op": "usage"})
                return GroupUsage(0, int(message["peak_bytes"]), int(message["cpu_us"]) / 1e6)
        ended = self._ended.result() if self._ended.done() else None
        return GroupUsage(0, int(ended["peak_bytes"]), int(ended["cpu_us"]) / 1e6) if ended else GroupUsage(0, 0, None)

    def interrupt(self, *, whole: bool) -> None:
        """See Place."""
        order: Message = {"op": "kill"} if whole else {"op": "signal", "number": int(signal.SIGINT)}
        with suppress(LineClosedError):
            self._line.tell(order)
        self._arm_hard_kill()
        if not whole:  # a kernel that had not begun with the cell has not noticed
            self._loop.call_later(_AGAIN_S, self._interrupt_again)

    def _interrupt_again(self) -> None:
        if self._execution and self._hard_kill and self._line.is_open:
            self.interrupt(whole=False)

    def _granted(self) -> SandboxSpec:
        if self._spec is None or not self._line.is_open:
            raise sandbox_gone()
        return self._spec

    def _order(self, spec: SandboxSpec, *, cpu_s: int) -> Message:
        return {
            "op": "start",
            "limits": self._host.rlimits(spec.limits, cpu_s=cpu_s),
            "watched_memory_bytes": self._host.watched_memory_bytes(spec.limits),
            "network": bool(spec.egress),
            "writable": list(spec.writable_paths),
            "environment": dict(doorway.ENVIRONMENT) if spec.egress else {},
        }

    async def _start(self, order: Message, streams: Streams, before: Sequence[int] = ()) -> None:
        self._streams = streams
        self._channel = GuestChannel(streams.channel) if streams.channel else None
        try:
            await self._line.ask(order, (*before, *streams.theirs))
        except LineClosedError as error:
            raise run_not_started() from error
        finally:
            streams.handed_over()

    async def _executed(self, terms: Terms) -> AsyncGenerator[RunEvent, None]:
        """Supervise in a task of its own: who stops reading does not stop its being cleaned up."""
        streams = self._streams
        if streams is None:
            raise sandbox_gone()
        self._execution = execution = Execution(self, streams, self._channel, terms, self._clock)
        task = self._loop.create_task(self._supervised(execution, terms), name=f"run-{terms.execution_id}")
        self._tasks.add(task)
        task.add_done_callback(self._forget)
        try:
            async for event in execution.events():
                if isinstance(event, Finished) and self._start_failure:
                    _log.error(
                        "run_not_started",
                        execution_id=terms.execution_id,
                        stage=self._start_failure.get("stage"),
                        errno=self._start_failure.get("errno"),
                    )
                    raise run_not_started()
                yield event
        finally:
            execution.kill(KillReason.ABANDONED)
            try:
                await _finished(task)
            finally:
                self._execution = None

    async def _supervised(self, execution: Execution, terms: Terms) -> None:
        """Supervise to the end, which a kernel that has obeyed outlives, however slow its reader is."""
        await execution.supervise()
        if terms.cell is not None and self._hard_kill and not self._ended.done() and self._line.is_open:
            self._hard_kill.cancel()
            self._hard_kill = None

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            _log.error("run_supervision_failed", exc_info=task.exception())

    async def _ask(self, message: Message, descriptors: Sequence[int] = ()) -> tuple[Message, list[int]]:
        try:
            return await self._line.ask(message, descriptors)
        except LineClosedError as error:
            raise sandbox_gone() from error

    async def _writable(self, streams: Streams) -> None:
        ready = asyncio.Event()
        self._loop.add_writer(streams.stdin_fd, ready.set)
        try:
            await ready.wait()
        finally:
            if streams.stdin_fd >= 0:
                self._loop.remove_writer(streams.stdin_fd)

    def _hear(self, message: Message, descriptors: list[int]) -> None:
        self._doors += descriptors
        if message["event"] == "ended":
            if not self._ended.done():
                self._ended.set_result(message)
        elif not self._heard.done():
            self._heard.set_result(message)
        else:
            # The last steps before the program were refused: it has not run, whatever its exit code says.
            self._start_failure = message

    def _arm_hard_kill(self) -> None:
        if self._hard_kill is None and not self._gone.is_set():
            self._hard_kill = self._loop.call_later(_GRACE_S, self._kill_hard)

    def _kill_hard(self) -> None:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._spawned.pidfd, signal.SIGKILL)

    def _note_death(self) -> None:
        """PID 1 is gone, and all processes of its namespace with it."""
        self._loop.remove_reader(self._spawned.pidfd)
        if self._hard_kill:
            self._hard_kill.cancel()
        self._line.drain()
        self._line.close()
        self._gone.set()
        if not self._ended.done():
            self._ended.set_result(None)
        if not self._heard.done():
            self._heard.set_result({"event": "failed", "stage": "setup", "errno": 0})
        self._burying = self._loop.create_task(self._bury())

    async def _bury(self) -> None:
        """Remove what the kernel does not remove by itself, when the last look at it has been taken."""
        on_gone, self._on_gone = self._on_gone, None
        if on_gone:
            on_gone()
        if self._tasks:
            await asyncio.wait(set(self._tasks))
        os.close(self._spawned.pidfd)
        if self._streams:
            if self._streams.stdin_fd >= 0:  # somebody may wait to write there
                self._loop.remove_writer(self._streams.stdin_fd)
            self._streams.close()
        while self._doors:
            os.close(self._doors.pop())
        if self._egress:
            _log.info("egress", org_id=self._spec.org_id if self._spec else "", **_told(await self._egress.stop()))
        if self._group:
            await asyncio.to_thread(self._group.remove)
        for then in self._then:
            then()


async def _finished(task: asyncio.Task[None]) -> None:
    """Wait for a task that ends soon, whoever leaves meanwhile: what comes next must find nothing of it."""
    left: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            left = error
    if left:
        raise left


def _told(report: EgressReport) -> dict[str, object]:
    reached = [f"{each.target} {each.sent_bytes} sent {each.received_bytes} received" for each in report.reached]
    return {"reached": reached, "refused": dict(report.refused)}


def _check(message: Message, path: str) -> None:
    reason = message.get("error")
    if reason == "not_found":
        raise file_not_found(path)
    if reason:
        raise file_refused(path, str(reason))
