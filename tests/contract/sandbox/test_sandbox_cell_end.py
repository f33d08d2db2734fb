"""How a cell ends when its kernel does not read, or nobody reads what it says."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from sandbox_service.adapters.namespaces.cgroups import GroupUsage
from sandbox_service.adapters.namespaces.execution import Execution, Terms
from sandbox_service.adapters.namespaces.guest_channel import GuestChannel
from sandbox_service.adapters.namespaces.streams import Streams, open_streams
from sandbox_service.domain.limits import RunLimits
from sandbox_service.domain.outcome import KillReason, Status
from sandbox_service.domain.run_event import Finished, RichOutput
from shared.clock import SystemClock


def result(text: bytes) -> bytes:
    head = json.dumps({"op": "result", "forms": [["text/plain", len(text)]]}).encode()
    return len(head).to_bytes(4, "big") + head + text


_DONE = json.dumps({"op": "done", "status": "ok", "exit_code": 0}).encode()
DONE = len(_DONE).to_bytes(4, "big") + _DONE


@dataclass
class Kernel:
    """Implements Place over the program's ends of its streams."""

    streams: Streams
    socket: socket.socket
    interrupts: list[bool] = field(default_factory=list[bool])
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    async def ended(self) -> dict[str, Any] | None:
        await self.gone.wait()
        return None

    async def usage(self) -> GroupUsage:
        return GroupUsage(0, 0, 0.0)

    def interrupt(self, *, whole: bool) -> None:
        self.interrupts.append(whole)

    def execution(self, cell: str, wall_time_s: float = 30.0) -> Execution:
        assert self.streams.channel is not None
        terms = Terms("id", RunLimits(wall_time_s, 0, 0, 8 << 20), cell)
        return Execution(self, self.streams, GuestChannel(self.streams.channel), terms, SystemClock())

    def die(self) -> None:
        self.streams.handed_over()
        self.socket.close()
        self.gone.set()


@pytest.fixture
async def kernel() -> AsyncIterator[Kernel]:
    streams = open_streams(-1, b"", channel=True)
    with socket.socket(fileno=streams.theirs.pop()) as theirs:
        yield Kernel(streams, theirs)
    streams.close()


async def test_a_cell_that_the_kernel_does_not_read_is_under_its_wall_limit(kernel: Kernel) -> None:
    execution = kernel.execution("x" * (1 << 20), wall_time_s=0.02)
    following = asyncio.create_task(execution.supervise())
    async with asyncio.timeout(5):
        while not kernel.interrupts:
            await asyncio.sleep(0.005)
        kernel.die()  # as one that has not obeyed
        await following
    *_, end = [event async for event in execution.events()]
    assert isinstance(end, Finished)
    assert (kernel.interrupts, end.status) == ([False], Status.TIMEOUT)


async def test_a_cell_that_the_kernel_does_not_read_can_be_cancelled(kernel: Kernel) -> None:
    execution = kernel.execution("x" * (1 << 20))
    following = asyncio.create_task(execution.supervise())
    events = execution.events()
    await anext(events)
    execution.kill(KillReason.CANCELLED)
    assert kernel.interrupts == [False]
    kernel.die()
    async with asyncio.timeout(5):
        await following


async def test_the_end_is_known_though_nobody_reads_the_results(kernel: Kernel) -> None:
    execution = kernel.execution("1")
    kernel.socket.sendall(b"".join(result(str(n).encode()) for n in range(100)) + DONE)
    async with asyncio.timeout(5):
        await execution.supervise()
    execution.kill(KillReason.WALL_TIME)
    *events, end = [event async for event in execution.events()]
    assert isinstance(end, Finished)
    assert (end.status, end.output_truncated, kernel.interrupts) == (Status.OK, False, [])
    assert sum(isinstance(event, RichOutput) for event in events) == 100


async def test_what_nobody_reads_is_bounded_and_a_killed_cell_can_still_say_its_end(kernel: Kernel) -> None:
    execution = kernel.execution("1", wall_time_s=0.1)
    said = asyncio.to_thread(kernel.socket.sendall, result(b"x" * 900_000) * 5 + DONE)
    async with asyncio.timeout(5):
        await asyncio.gather(execution.supervise(), said)
    *events, end = [event async for event in execution.events()]
    assert isinstance(end, Finished)
    assert (end.status, end.output_truncated, kernel.interrupts) == (Status.TIMEOUT, True, [False])
    assert sum(isinstance(event, RichOutput) for event in events) == 1
