"""Sessions, their files and long processes over a fake backend, with every reason that they can fail for."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, NoReturn

import pytest
from sandbox_fakes import FakeBackend, FakeImages, FixedPolicy, finished

from protos.gen.nexus.sandbox.v1 import sandbox_pb2 as pb
from protos.gen.nexus.sandbox.v1 import sandbox_pb2_grpc
from sandbox_service.domain.isolation_level import IsolationLevel
from sandbox_service.domain.outcome import Status
from sandbox_service.domain.run_event import MediaData, OutputChunk, RichOutput, Stream
from sandbox_service.main import Outside, build_over
from sandbox_service.settings import Settings
from shared.client import translated_errors
from shared.clock import SystemClock
from shared.errors import DeadlineExceeded, Forbidden, InvalidInput, NotFound, PreconditionFailed, QuotaExceeded
from shared.ids import new_id
from shared.server import Dependencies
from shared.testing.harness import Served, principal, serving

NOBODYS = str(uuid.uuid4())


def no_channel(_address: str) -> NoReturn:
    raise AssertionError("the sandbox calls nobody")


@dataclass
class Bench:
    served: Served
    backend: FakeBackend
    policy: FixedPolicy

    def stub(self, org_id: str = "org-a", user_id: str = "user-1", *permissions: str) -> Any:
        who = principal(org_id, user_id, permissions=permissions or ("*",))
        return sandbox_pb2_grpc.SandboxServiceStub(self.served.channel_as(who))

    async def call(self, name: str, request: Any, stub: Any = None) -> Any:
        async with translated_errors("sandbox"):
            return await getattr(stub or self.stub(), name)(request, timeout=5)

    async def session(self, **fields: Any) -> pb.Session:
        request = pb.CreateSessionRequest(language=pb.LANGUAGE_PYTHON, **fields)
        return (await self.call("CreateSession", request)).session

    async def cell(self, session_id: str, code: str = "1", stub: Any = None, **fields: Any) -> list[Any]:
        request = pb.ExecuteInSessionRequest(session_id=session_id, code=code, **fields)
        async with translated_errors("sandbox"):
            return [event async for event in (stub or self.stub()).ExecuteInSession(request, timeout=5)]
        raise AssertionError


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    backend, policy = FakeBackend(), FixedPolicy()
    settings = Settings(max_sessions=3, max_sessions_per_organisation=2, process_paths=["/srv/shown"])
    deps = Dependencies(SystemClock(), new_id, no_channel)
    async with serving(build_over(Outside(backend, FakeImages(), policy), settings, deps)) as served:
        yield Bench(served, backend, policy)
    assert all(not sandbox.is_alive for sandbox in backend.sandboxes)


async def test_a_session_is_opened_found_listed_and_closed(bench: Bench) -> None:
    made = await bench.session(image="data", limits=pb.ExecutionLimits(processes=7))
    assert uuid.UUID(made.session_id).version == 4
    assert (made.image, made.image_digest[:9], made.limits.processes) == ("data", "sha256:dd", 7)
    assert made.expire_time.ToDatetime() > made.create_time.ToDatetime()
    found = (await bench.call("GetSession", pb.GetSessionRequest(session_id=made.session_id))).session
    assert (found.session_id, found.cells, found.busy) == (made.session_id, 0, False)
    other = await bench.session()
    first = await bench.call("ListSessions", pb.ListSessionsRequest(page_size=1))
    rest = await bench.call("ListSessions", pb.ListSessionsRequest(page_token=first.next_page_token))
    assert [s.session_id for s in (*first.sessions, *rest.sessions)] == [other.session_id, made.session_id]
    assert rest.next_page_token == ""
    await bench.call("CloseSession", pb.CloseSessionRequest(session_id=made.session_id))
    with pytest.raises(NotFound, match="SESSION_UNKNOWN"):
        await bench.call("CloseSession", pb.CloseSessionRequest(session_id=made.session_id))


async def test_the_same_request_opens_one_session(bench: Bench) -> None:
    first, second = await asyncio.gather(bench.session(request_id="r"), bench.session(request_id="r"))
    assert first.session_id == second.session_id
    await bench.call("CloseSession", pb.CloseSessionRequest(session_id=first.session_id))
    assert (await bench.session(request_id="r")).session_id != first.session_id


async def test_a_cell_streams_what_comes_of_it(bench: Bench) -> None:
    made = await bench.session()
    value = RichOutput((MediaData("text/plain", b"2"),))
    bench.backend.events = (OutputChunk(Stream.STDOUT, b"out"), value, finished(Status.ERROR, 1))
    bench.backend.files = {}
    bench.backend.sandboxes[0].files["a.csv"] = b"1\n"
    request = {"output_paths": ["*.csv"]}
    events = await bench.cell(made.session_id, "1 + 1", **request)
    kinds = [event.event.WhichOneof("event") for event in events]
    assert kinds == ["started", "stdout", "result", "file", "finished"]
    assert events[2].event.result.forms[0].data == b"2"
    assert (events[3].event.file.path, events[3].event.file.data) == ("a.csv", b"1\n")
    assert events[-1].event.finished.status == pb.EXECUTION_STATUS_ERROR
    assert not events[-1].session_closed
    assert (await bench.call("GetSession", pb.GetSessionRequest(session_id=made.session_id))).session.cells == 1


async def test_a_cell_may_have_less_time_than_its_session_and_not_more(bench: Bench) -> None:
    made = await bench.session()
    for seconds in (3, 60):
        request = pb.ExecuteInSessionRequest()
        request.wall_time.FromSeconds(seconds)
        await bench.cell(made.session_id, wall_time=request.wall_time)
    assert [limits.wall_time_s for limits in bench.backend.cell_limits] == [3, 10]


async def test_a_session_whose_program_ends_is_gone_and_says_so(bench: Bench) -> None:
    made = await bench.session()
    assert (await bench.cell(made.session_id, "die"))[-1].event.finished.status == pb.EXECUTION_STATUS_OK
    with pytest.raises(NotFound, match="SESSION_UNKNOWN"):
        await bench.cell(made.session_id)


async def test_a_cell_is_cancelled_by_its_id_and_by_leaving(bench: Bench) -> None:
    made = await bench.session()
    bench.backend.hold.clear()
    call = bench.stub().ExecuteInSession(pb.ExecuteInSessionRequest(session_id=made.session_id, code="x"), timeout=5)
    started = (await call.read()).event.started
    await bench.call("CancelExecution", pb.CancelExecutionRequest(execution_id=started.execution_id))
    assert [event.event.finished.status async for event in call] == [pb.EXECUTION_STATUS_KILLED]
    with pytest.raises(NotFound, match="EXECUTION_UNKNOWN"):
        await bench.call("CancelExecution", pb.CancelExecutionRequest(execution_id=started.execution_id))
    left = bench.stub().ExecuteInSession(pb.ExecuteInSessionRequest(session_id=made.session_id, code="x"), timeout=5)
    await left.read()
    left.cancel()
    async with asyncio.timeout(2):
        while len(bench.backend.killed) < 2:
            await asyncio.sleep(0.005)
    bench.backend.hold.set()
    assert len(await bench.cell(made.session_id)) == 3


@pytest.mark.parametrize("who", [("org-b", "user-1"), ("org-a", "user-2")])
async def test_nobody_else_reaches_a_session(bench: Bench, who: tuple[str, str]) -> None:
    made, stranger = await bench.session(), bench.stub(*who)
    named = {"session_id": made.session_id}
    for name, request in (
        ("GetSession", pb.GetSessionRequest(**named)),
        ("CloseSession", pb.CloseSessionRequest(**named)),
        ("WriteFile", pb.WriteFileRequest(path="a", **named)),
        ("ReadFile", pb.ReadFileRequest(path="a", **named)),
        ("ListFiles", pb.ListFilesRequest(**named)),
    ):
        with pytest.raises(NotFound, match="SESSION_UNKNOWN"):
            await bench.call(name, request, stranger)
    with pytest.raises(NotFound, match="SESSION_UNKNOWN"):
        await bench.cell(made.session_id, stub=stranger)
    assert (await bench.call("ListSessions", pb.ListSessionsRequest(), stranger)).sessions == []


async def test_places_of_sessions_are_bounded_for_each_organisation(bench: Bench) -> None:
    for _ in range(2):
        await bench.session()
    with pytest.raises(QuotaExceeded, match="SANDBOX_BUSY"):
        await bench.session()
    request = pb.CreateSessionRequest(language=pb.LANGUAGE_PYTHON)
    assert (await bench.call("CreateSession", request, bench.stub("org-b"))).session.session_id


async def test_files_are_written_in_pieces_read_and_listed(bench: Bench) -> None:
    named = {"session_id": (await bench.session()).session_id, "path": "data/a.png"}
    assert (await bench.call("WriteFile", pb.WriteFileRequest(data=b"\x89PNG\r\n\x1a\nxx", **named))).size_bytes == 10
    for _ in range(2):  # the same piece twice is the same file
        reply = await bench.call("WriteFile", pb.WriteFileRequest(data=b"yy", offset=8, **named))
        assert reply.size_bytes == 10
    chunk = (await bench.call("ReadFile", pb.ReadFileRequest(offset=8, length=1, **named))).chunk
    assert (chunk.data, chunk.offset, chunk.size_bytes, chunk.media_type) == (b"y", 8, 10, "image/png")
    listed = await bench.call("ListFiles", pb.ListFilesRequest(session_id=named["session_id"]))
    assert [(file.path, file.size_bytes) for file in listed.files] == [("data/a.png", 10)]
    with pytest.raises(NotFound, match="FILE_NOT_FOUND"):
        await bench.call("ReadFile", pb.ReadFileRequest(session_id=named["session_id"], path="b"))
    for path in ("../a", "/a", "a//b"):
        with pytest.raises(InvalidInput, match="PATH_INVALID"):
            await bench.call("WriteFile", pb.WriteFileRequest(session_id=named["session_id"], path=path))


async def test_an_organisation_that_wants_more_isolation_than_there_is_runs_nothing(bench: Bench) -> None:
    bench.policy.level = IsolationLevel.USER_KERNEL
    with pytest.raises(PreconditionFailed, match="ISOLATION_TOO_WEAK") as caught:
        await bench.session()
    assert "user_kernel" in caught.value.message
    assert bench.backend.sandboxes == []


async def test_images_are_listed_with_what_to_do_about_those_that_are_missing(bench: Bench) -> None:
    images = (await bench.call("ListImages", pb.ListImagesRequest())).images
    assert [(image.name, image.available, image.remedy) for image in images] == [
        ("base", True, ""),
        ("gpu", False, "Set it up."),
    ]
    with pytest.raises(NotFound, match="IMAGE_UNKNOWN"):
        await bench.session(image="gpu")


async def test_a_process_is_started_watched_written_to_and_stopped(bench: Bench) -> None:
    bench.backend.hold.clear()
    secret = pb.EnvironmentVariable(name="TOKEN", value="hunter2")
    request = pb.StartProcessRequest(argv=["server"], environment=[secret], request_id="r")
    started = await bench.call("StartProcess", request)
    assert (await bench.call("StartProcess", request)).process_id == started.process_id
    named = {"process_id": started.process_id}
    assert bench.backend.sandboxes[0].processes[0].environment == {"TOKEN": "hunter2"}
    assert "hunter2" not in repr(bench.backend.sandboxes[0].processes[0])
    stub = bench.stub()
    watching = stub.WatchProcess(pb.WatchProcessRequest(**named), timeout=30)
    reading = asyncio.ensure_future(watching.read())
    # Later on the same connection, so the watcher is in when this is answered.
    await bench.call("WriteProcess", pb.WriteProcessRequest(data=b"line\n", **named), stub)
    assert bench.backend.sandboxes[0].written == [b"line\n"]
    async with asyncio.timeout(5):
        while not await _is_watched(bench, named):
            pass
    await bench.call("StopProcess", pb.StopProcessRequest(**named))
    assert (await reading).finished.status == pb.EXECUTION_STATUS_KILLED
    for name in ("StopProcess", "WriteProcess"):
        with pytest.raises(NotFound, match="PROCESS_UNKNOWN"):
            await bench.call(name, getattr(pb, f"{name}Request")(**named))


async def _is_watched(bench: Bench, named: dict[str, str]) -> bool:
    """Say whether a second watcher is turned away; the first one may not be in yet."""
    call = bench.stub().WatchProcess(pb.WatchProcessRequest(**named), timeout=0.2)
    try:
        async with translated_errors("sandbox"):
            await call.read()
    except PreconditionFailed as error:
        return error.reason == "PROCESS_WATCHED"
    except DeadlineExceeded:
        return False
    return False


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/etc", "lies below none"),
        ("/srv/shownother", "lies below none"),
        ("/srv/shown/../secret", "without"),
        ("srv/shown", "absolute"),
    ],
)
async def test_a_process_gets_no_path_that_is_not_allowed(bench: Bench, path: str, why: str) -> None:
    with pytest.raises(PreconditionFailed, match="PATH_REFUSED") as caught:
        await bench.call("StartProcess", pb.StartProcessRequest(argv=["x"], read_only_paths=[path]))
    assert why in caught.value.message
    assert bench.backend.sandboxes == []


async def test_who_may_execute_may_not_start_processes(bench: Bench) -> None:
    stub = bench.stub("org-a", "user-1", "sandbox.execute", "sandbox.read")
    with pytest.raises(Forbidden):
        await bench.call("StartProcess", pb.StartProcessRequest(argv=["x"]), stub)
    with pytest.raises(NotFound, match="PROCESS_UNKNOWN"):
        await bench.call("StopProcess", pb.StopProcessRequest(process_id=NOBODYS))
