"""A long process and those who watch it."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest
from sandbox_fakes import FakeBackend, FakeImages, FixedPolicy

from sandbox_service.domain.egress import AllowList
from sandbox_service.domain.limits import LimitPolicy, RunLimits
from sandbox_service.domain.long_process import LongProgram
from sandbox_service.domain.order import Caller
from sandbox_service.domain.places import PlaceRules
from sandbox_service.domain.run_event import Finished, OutputChunk
from sandbox_service.use_cases.admit_run import AdmitRun
from sandbox_service.use_cases.choose_backend import ChooseBackend
from sandbox_service.use_cases.keep_processes import KeepProcesses, ProcessOrder, ProcessRules
from sandbox_service.use_cases.open_sandbox import Host, OpenSandbox
from shared.errors import PreconditionFailed
from shared.testing.fakes import FakeClock

ME = Caller("org", "user")
LIMITS = LimitPolicy(RunLimits(10, 256 << 20, 64, 1 << 18), RunLimits(60, 1 << 30, 256, 1 << 23))
ORDER = ProcessOrder(LongProgram(("server",), {}), RunLimits(0, 0, 0, 0))


def keeper(backend: FakeBackend) -> KeepProcesses:
    choose = ChooseBackend((backend,), FakeClock())
    host = Host(choose, FakeImages(), AllowList("LIST"), FixedPolicy())
    return KeepProcesses(OpenSandbox(host, AdmitRun(PlaceRules("processes", 4, 4))), ProcessRules(LIMITS), FakeClock())


async def test_a_watcher_that_leaves_leaves_the_process_and_what_it_wrote() -> None:
    backend = FakeBackend()
    backend.hold.clear()
    processes = keeper(backend)
    process_id = await processes.start(ME, ORDER)
    first = processes.watch(ME, process_id)
    reading = asyncio.ensure_future(anext(first))
    await asyncio.sleep(0.01)
    with pytest.raises(PreconditionFailed, match="PROCESS_WATCHED"):
        await anext(processes.watch(ME, process_id))
    reading.cancel()
    with suppress(asyncio.CancelledError):
        await reading
    await first.aclose()
    await processes.write(ME, process_id, b"still there", end=False)
    backend.hold.set()
    events = [event async for event in processes.watch(ME, process_id)]
    assert [type(event) for event in events] == [OutputChunk, Finished]
    assert not backend.sandboxes[0].is_alive


async def test_a_process_that_is_stopped_tells_its_watcher_how_it_ended() -> None:
    backend = FakeBackend()
    backend.hold.clear()
    processes = keeper(backend)
    process_id = await processes.start(ME, ORDER)
    watching = asyncio.ensure_future(anext(processes.watch(ME, process_id)))
    await asyncio.sleep(0.01)
    await processes.stop_process(ME, process_id)
    assert isinstance(await watching, Finished)
