from __future__ import annotations

import asyncio

import pytest
from sandbox_fakes import BLOCKED, FakeBackend, finished

from sandbox_service.domain.limits import LimitPolicy, RunLimits
from sandbox_service.domain.program import Language, Program
from sandbox_service.domain.run_event import OutputChunk, RunEvent, Started, Stream
from sandbox_service.use_cases.admit_run import AdmitRun
from sandbox_service.use_cases.execute_program import ExecuteProgram
from sandbox_service.use_cases.report_isolation import PROBE_AGAIN_AFTER_S, ReportIsolation
from shared.errors import Internal, InvalidInput, PreconditionFailed, QuotaExceeded
from shared.testing.fakes import FakeClock, SequenceIds

ANY = RunLimits(0, 0, 0, 0)
POLICY = LimitPolicy(RunLimits(10, 256 << 20, 64, 1 << 18), RunLimits(60, 1 << 30, 256, 1 << 23))


class Desk:
    def __init__(self, backend: FakeBackend, places: int = 2, queue: int = 0) -> None:
        self.backend = backend
        self.report = ReportIsolation(backend, FakeClock())
        self.execute = ExecuteProgram(backend, self.report, AdmitRun(places, queue), POLICY, SequenceIds("run"))

    def start(self, code: str = "print()", stdin: bytes = b"", limits: RunLimits = ANY):
        return self.execute(Program(Language.PYTHON, code, stdin), limits, asyncio.Event())

    async def run(self, code: str = "print()", stdin: bytes = b"", limits: RunLimits = ANY) -> list[RunEvent]:
        return [event async for event in self.start(code, stdin, limits)]


async def test_events_come_through_in_order() -> None:
    desk = Desk(FakeBackend())
    assert await desk.run() == [Started("run-0001"), OutputChunk(Stream.STDOUT, b"hi\n"), finished()]
    assert desk.backend.specs[0].limits == POLICY.defaults


@pytest.mark.parametrize("code", ["", "x" * ((1 << 20) + 1), "é" * (1 << 19) + "x", "print('\0')"])
async def test_a_program_that_cannot_be_run_is_refused(code: str) -> None:
    desk = Desk(FakeBackend())
    with pytest.raises(InvalidInput, match="PROGRAM_INVALID") as caught:
        await desk.run(code)
    assert {v.field for v in caught.value.violations} == {"code"}
    assert desk.backend.specs == []


async def test_too_much_standard_input_is_refused() -> None:
    with pytest.raises(InvalidInput) as caught:
        await Desk(FakeBackend()).run(stdin=b"x" * ((1 << 20) + 1))
    assert caught.value.violations[0].field == "stdin"


async def test_limits_above_the_ceiling_are_refused_before_anything_runs() -> None:
    desk = Desk(FakeBackend())
    with pytest.raises(InvalidInput, match="LIMIT_OUT_OF_RANGE"):
        await desk.run(limits=RunLimits(1000, 0, 0, 0))
    assert desk.backend.specs == []


async def test_without_isolation_nothing_is_run() -> None:
    desk = Desk(FakeBackend(BLOCKED))
    with pytest.raises(PreconditionFailed, match="ISOLATION_UNAVAILABLE") as caught:
        await desk.run()
    assert "Turn the key." in caught.value.message
    assert desk.backend.specs == []


async def test_a_busy_sandbox_says_when_to_come_back_and_a_finished_run_makes_room() -> None:
    desk = Desk(FakeBackend(), places=1)
    running = desk.start()
    await anext(running)
    with pytest.raises(QuotaExceeded, match="SANDBOX_BUSY"):
        await desk.run()
    await running.aclose()
    assert len(await desk.run()) == 3


async def test_a_place_is_free_when_the_run_is_gone_even_if_its_end_was_not_read() -> None:
    backend = FakeBackend()
    desk = Desk(backend, places=1)
    backend.hold.clear()
    abandoned = asyncio.Event()
    stalled = desk.execute(Program(Language.PYTHON, "x"), ANY, abandoned)
    await anext(stalled)
    abandoned.set()
    assert [e async for e in stalled] != []
    assert backend.killed == ["run-0001"]
    backend.hold.set()
    assert len(await desk.run()) == 3


async def test_a_failure_of_the_backend_frees_the_place() -> None:
    backend = FakeBackend()
    desk = Desk(backend, places=1)
    backend.error = Internal("RUN_NOT_STARTED", "It broke.")
    with pytest.raises(Internal):
        await desk.run()
    backend.error = None
    assert len(await desk.run()) == 3


async def test_a_good_report_is_probed_once() -> None:
    backend, clock = FakeBackend(), FakeClock()
    report = ReportIsolation(backend, clock)
    assert (await report()).available
    clock.advance(10 * PROBE_AGAIN_AFTER_S)
    await asyncio.gather(report(), report())
    assert backend.probes == 1


async def test_a_bad_report_is_probed_again_after_a_while() -> None:
    backend, clock = FakeBackend(BLOCKED), FakeClock()
    report = ReportIsolation(backend, clock)
    assert not (await report()).available
    backend.report = FakeBackend().report
    assert not (await report()).available
    clock.advance(PROBE_AGAIN_AFTER_S)
    assert (await report()).available
