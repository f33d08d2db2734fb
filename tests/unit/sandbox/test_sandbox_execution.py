from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from sandbox_fakes import BLOCKED, FakeBackend, FakeImages, FixedPolicy, finished

from sandbox_service.domain.egress import AllowList, rule_of
from sandbox_service.domain.image import Image
from sandbox_service.domain.limits import LimitPolicy, RunLimits
from sandbox_service.domain.order import Caller, RunOrder
from sandbox_service.domain.places import PlaceRules
from sandbox_service.domain.program import Language, Program
from sandbox_service.domain.run_event import FilePiece, Finished, OutputChunk, RunEvent, SkippedFile, Started, Stream
from sandbox_service.domain.workspace import InputFile
from sandbox_service.use_cases.admit_run import AdmitRun
from sandbox_service.use_cases.choose_backend import ChooseBackend
from sandbox_service.use_cases.collect_files import CollectFiles
from sandbox_service.use_cases.execute_program import ExecuteProgram, Parts
from sandbox_service.use_cases.open_sandbox import Host, OpenSandbox
from sandbox_service.use_cases.report_isolation import PROBE_AGAIN_AFTER_S, ReportIsolation
from sandbox_service.use_cases.running import Running
from shared.errors import Internal, InvalidInput, NotFound, PreconditionFailed, QuotaExceeded
from shared.testing.fakes import FakeClock, SequenceIds

ANY = RunLimits(0, 0, 0, 0)
CALLER = Caller("org", "user")
POLICY = LimitPolicy(RunLimits(10, 256 << 20, 64, 1 << 18), RunLimits(60, 1 << 30, 256, 1 << 23))


class SlowImages(FakeImages):
    """Says who looks for images: not the loop, as it may mean to read one anew."""

    looked: threading.Thread | None = None

    def find(self, name: str) -> Image:
        self.looked = threading.current_thread()
        return super().find(name)


class Desk:
    def __init__(self, backend: FakeBackend, places: int = 2, queue: int = 0) -> None:
        self.backend = backend
        self.images = SlowImages()
        choose = ChooseBackend((backend,), FakeClock())
        admit = AdmitRun(PlaceRules("programs", places, places, queue, queue))
        allowed = AllowList("THE_LIST", (rule_of("example.com:443"),))
        opener = OpenSandbox(Host(choose, self.images, allowed, FixedPolicy()), admit)
        self.running = Running()
        parts = Parts(opener, self.running, CollectFiles(100), POLICY)
        self.execute = ExecuteProgram(parts, SequenceIds("run"))

    def start(
        self, code: str = "print()", stdin: bytes = b"", limits: RunLimits = ANY, **order: Any
    ) -> AsyncGenerator[RunEvent, None]:
        wanted = RunOrder(Program(Language.PYTHON, code, stdin), limits, **order)
        return self.execute(CALLER, wanted, asyncio.Event())

    async def run(
        self, code: str = "print()", stdin: bytes = b"", limits: RunLimits = ANY, **order: Any
    ) -> list[RunEvent]:
        return [event async for event in self.start(code, stdin, limits, **order)]


async def test_events_come_through_in_order() -> None:
    desk = Desk(FakeBackend())
    assert await desk.run() == [Started("run-0001"), OutputChunk(Stream.STDOUT, b"hi\n"), finished()]
    assert desk.backend.specs[0].limits == POLICY.defaults
    assert desk.images.looked not in (None, threading.current_thread())


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
    stalled = desk.execute(CALLER, RunOrder(Program(Language.PYTHON, "x"), ANY), abandoned)
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


async def test_files_go_in_before_and_come_out_after_the_run() -> None:
    desk = Desk(FakeBackend())
    desk.backend.files = {"out/a.csv": b"1,2\n", "out/b.txt": b"b" * 90, "plot.png": b"\x89PNG\r\n\x1a\n"}
    wanted = ("out/*.csv", "out/b.txt", "plot.png", "gone.txt", "../etc/passwd", "*.pdf")
    events = await desk.run(files=(InputFile("in/x.txt", b"x"),), output_paths=wanted)
    pieces = [event for event in events if isinstance(event, FilePiece)]
    assert [(p.path, p.data, p.media_type) for p in pieces] == [
        ("out/a.csv", b"1,2\n", "text/csv"),
        ("out/b.txt", b"b" * 90, "text/plain"),
    ]
    assert isinstance(events[-1], Finished)
    assert set(events[-1].skipped_files) == {
        SkippedFile("plot.png", "too_large"),
        SkippedFile("gone.txt", "not_found"),
        SkippedFile("../etc/passwd", "path_invalid"),
        SkippedFile("*.pdf", "not_found"),
    }
    assert desk.backend.sandboxes[0].files["in/x.txt"] == b"x"


@pytest.mark.parametrize("path", ["/etc/x", "../x", "a/../x", "a//b", "", "a\0b", "a\nb", "x" * 256, "./a"])
async def test_a_file_outside_the_workspace_is_refused_before_anything_runs(path: str) -> None:
    desk = Desk(FakeBackend())
    with pytest.raises(InvalidInput, match="PROGRAM_INVALID") as caught:
        await desk.run(files=(InputFile(path, b""),))
    assert caught.value.violations[0].field == "files[0].path"
    assert desk.backend.specs == []


async def test_an_unknown_image_and_a_target_that_no_list_names_are_refused() -> None:
    desk = Desk(FakeBackend())
    with pytest.raises(NotFound, match="IMAGE_UNKNOWN"):
        await desk.run(image="gpu")
    with pytest.raises(PreconditionFailed, match="EGRESS_REFUSED"):
        await desk.run(egress=("example.org:443",))
    assert desk.backend.specs == []
    await desk.run(egress=("example.com:443",), image="data", strict=True)
    assert desk.backend.specs[0].egress.allows("example.com", 443)
    assert (desk.backend.specs[0].image.name, desk.backend.specs[0].strict) == ("data", True)


async def test_a_run_is_cancelled_by_its_id_and_by_its_organisation_alone() -> None:
    desk = Desk(FakeBackend())
    desk.backend.hold.clear()
    running = desk.start()
    assert await anext(running) == Started("run-0001")
    with pytest.raises(NotFound, match="EXECUTION_UNKNOWN"):
        desk.running.cancel(Caller("other", "user"), "run-0001")
    desk.running.cancel(CALLER, "run-0001")
    assert [event.status.value async for event in running if isinstance(event, Finished)] == ["killed"]
    with pytest.raises(NotFound, match="EXECUTION_UNKNOWN"):
        desk.running.cancel(CALLER, "run-0001")
