"""The tool executor's ways to the sandbox and the dashboard, over real servers with scripted answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from protos.gen.nexus.dashboard.v1 import dashboard_pb2, dashboard_pb2_grpc
from protos.gen.nexus.sandbox.v1 import sandbox_pb2, sandbox_pb2_grpc
from shared.auth.context import acting_as, current_principal
from shared.errors import NexusError, PreconditionFailed, UpstreamDown
from shared.server import Registration, Service
from shared.testing.harness import principal, serving
from tool_executor.adapters.code_runner_grpc import GrpcCodeRunner
from tool_executor.adapters.context_source_grpc import GrpcContextSource
from tool_executor.domain.agenda import Agenda, AgendaEvent, AgendaSource
from tool_executor.domain.code_run import CodeLanguage, CodeRun, CodeStatus, Form, Program
from tool_executor.domain.workspace_file import FileIn, LeftFiles

PROGRAM = Program("print(1)", "in", wall_time_s=1.5, timeout_s=5, request_id="r1")
FINISHED = sandbox_pb2.ExecutionFinished(
    status=sandbox_pb2.EXECUTION_STATUS_OK, wall_time=Duration(nanos=250_000_000), exit_code=0
)


class ScriptedSandbox(sandbox_pb2_grpc.SandboxServiceServicer):
    """Sends the scripted events, raises the scripted error, or hangs; knows no image of `missing_images`."""

    def __init__(self, *script: sandbox_pb2.ExecuteResponse | NexusError | None) -> None:
        self.script = script
        self.missing_images: set[str] = set()
        self.requests: list[sandbox_pb2.ExecuteRequest] = []
        self.left = asyncio.Event()

    async def Execute(self, request: sandbox_pb2.ExecuteRequest, context: object) -> AsyncIterator[object]:
        self.requests.append(request)
        if request.image in self.missing_images:
            raise PreconditionFailed("IMAGE_NOT_SET_UP", "It is not set up.")
        for step in self.script:
            if isinstance(step, NexusError):
                raise step
            if step is None:
                try:
                    await asyncio.sleep(60)
                finally:
                    self.left.set()
            yield step


@asynccontextmanager
async def runner(sandbox: ScriptedSandbox) -> AsyncGenerator[GrpcCodeRunner, None]:
    registration = Registration(
        sandbox_pb2_grpc.add_SandboxServiceServicer_to_server,
        sandbox,
        sandbox_pb2.DESCRIPTOR.services_by_name["SandboxService"],
    )
    async with serving(Service("sandbox", [registration])) as served:
        yield GrpcCodeRunner(served.channel, output_limit_bytes=1_000)


def event(**fields: object) -> sandbox_pb2.ExecuteResponse:
    return sandbox_pb2.ExecuteResponse(**fields)  # type: ignore[arg-type]


async def test_a_program_is_run_and_its_output_put_together() -> None:
    sandbox = ScriptedSandbox(
        event(started=sandbox_pb2.ExecutionStarted(execution_id="e1")),
        event(stdout="ä".encode()[:1]),
        event(stdout="ä".encode()[1:] + b"\xff\n"),
        event(stderr=b"warning\n"),
        event(finished=FINISHED),
    )
    async with runner(sandbox) as run:
        found, left = await run.run(PROGRAM)
    assert left == LeftFiles()
    assert found == CodeRun(CodeStatus.OK, 0, "ä\N{REPLACEMENT CHARACTER}\n", "warning\n", 0.25)
    (request,) = sandbox.requests
    assert (request.language, request.code, request.stdin) == (sandbox_pb2.LANGUAGE_PYTHON, "print(1)", b"in")
    assert request.limits.wall_time.ToNanoseconds() == 1_500_000_000
    # Pictures count, too.
    assert (request.limits.output_bytes, request.request_id) == (1_000 + 4 * 1024 * 1024, "r1")
    assert request.image == "data"


async def test_a_command_line_without_the_data_image_runs_in_the_base_one() -> None:
    sandbox = ScriptedSandbox(event(finished=FINISHED))
    sandbox.missing_images = {"data"}
    async with runner(sandbox) as run:
        await run.run(replace(PROGRAM, language=CodeLanguage.SHELL))
    assert [request.image for request in sandbox.requests] == ["data", "base"]
    assert sandbox.requests[1].language == sandbox_pb2.LANGUAGE_SHELL


async def test_what_it_shows_and_leaves_is_taken_and_what_it_was_given_is_not() -> None:
    def piece(path: str, data: bytes, offset: int = 0, size: int = 0) -> sandbox_pb2.ExecuteResponse:
        return event(file=sandbox_pb2.FileChunk(path=path, size_bytes=size or len(data), offset=offset, data=data))

    forms = [sandbox_pb2.MediaData(media_type="image/png", data=b"png")]
    ended = sandbox_pb2.ExecutionFinished()
    ended.CopyFrom(FINISHED)
    ended.skipped_files.add(path="huge.bin", reason="too_large")
    ended.skipped_files.add(path="**", reason="not_found")
    sandbox = ScriptedSandbox(
        event(result=sandbox_pb2.RichOutput(forms=forms)),
        piece("in.csv", b"same"),
        piece("other.csv", b"new"),
        piece("out.csv", b"ab", size=4),
        piece("out.csv", b"cd", offset=2, size=4),
        piece("grows.log", b"12", size=1),
        piece(".cache/x", b"1"),
        event(finished=ended),
    )
    given = (FileIn("in.csv", b"same"), FileIn("other.csv", b"old"))
    async with runner(sandbox) as run:
        found, left = await run.run(PROGRAM, given)
    assert found.shown == ((Form("image/png", b"png"),),)
    assert left.files == (FileIn("other.csv", b"new"), FileIn("out.csv", b"abcd"))
    (note,) = left.notes
    assert "huge.bin, grows.log." in note
    assert [(file.path, file.data) for file in sandbox.requests[0].files] == [
        ("in.csv", b"same"),
        ("other.csv", b"old"),
    ]


@pytest.mark.parametrize("status", [status for status in CodeStatus if status is not CodeStatus.OK])
async def test_every_end_of_a_program_is_known(status: CodeStatus) -> None:
    ended = sandbox_pb2.ExecutionFinished(
        status=sandbox_pb2.ExecutionStatus.Value(f"EXECUTION_STATUS_{status.name}"), exit_code=-1, signal=9
    )
    async with runner(ScriptedSandbox(event(stdout=b"half"), event(finished=ended))) as run:
        found, _ = await run.run(PROGRAM)
    assert (found.status, found.exit_code, found.stdout) == (status, -1, "half")


async def test_output_beyond_the_limit_is_let_go() -> None:
    flood = [event(stdout=b"x" * 700) for _ in range(5)]
    async with runner(ScriptedSandbox(*flood, event(finished=FINISHED))) as run:
        found, _ = await run.run(PROGRAM)
    assert (found.stdout, found.output_cut) == ("x" * 1_000, True)


@pytest.mark.parametrize(
    "script",
    [
        (event(stdout=b"half"),),
        (event(finished=sandbox_pb2.ExecutionFinished()),),
        (),
    ],
    ids=["no end", "no status", "nothing"],
)
async def test_an_answer_that_breaks_off_is_no_success(script: tuple[sandbox_pb2.ExecuteResponse, ...]) -> None:
    async with runner(ScriptedSandbox(*script)) as run:
        with pytest.raises(UpstreamDown) as caught:
            await run.run(PROGRAM)
    assert caught.value.reason == "SANDBOX_ANSWER_BROKEN"


async def test_a_refusal_keeps_its_reason_and_remedy() -> None:
    refusal = PreconditionFailed("ISOLATION_UNAVAILABLE", "Allow user namespaces.")
    async with runner(ScriptedSandbox(refusal)) as run:
        with pytest.raises(PreconditionFailed, match="Allow user namespaces") as caught:
            await run.run(PROGRAM)
    assert caught.value.reason == "ISOLATION_UNAVAILABLE"


async def test_a_caller_who_leaves_ends_the_program() -> None:
    sandbox = ScriptedSandbox(event(stdout=b"half"), None)
    async with runner(sandbox) as run:
        call = asyncio.create_task(run.run(PROGRAM))
        while not sandbox.requests:
            await asyncio.sleep(0.01)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        async with asyncio.timeout(5):
            await sandbox.left.wait()


class ScriptedDashboard(dashboard_pb2_grpc.DashboardServiceServicer):
    """Knows one event and one broken source."""

    def __init__(self) -> None:
        self.asked: list[tuple[dashboard_pb2.GetContextRequest, str]] = []

    async def GetContext(self, request: dashboard_pb2.GetContextRequest, context: object) -> object:
        self.asked.append((request, current_principal().user_id))
        shown = dashboard_pb2.CalendarEvent(
            title="Stand-up",
            location="Room 4",
            start_time=_stamp(2026, 11, 21, 8, 30),
            end_time=_stamp(2026, 11, 21, 9),
            calendar="work",
        )
        broken = dashboard_pb2.SourceStatus(adapter="icalendar_url", source="family", stale=True, error="404")
        unnamed = dashboard_pb2.SourceStatus(adapter="demo", demo=True)
        return dashboard_pb2.GetContextResponse(
            context=dashboard_pb2.Context(calendar_events=[shown], sources=[broken, unnamed])
        )


def _stamp(*parts: int) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(datetime(*parts, tzinfo=UTC))  # type: ignore[arg-type, misc]
    return stamp


async def test_the_calendar_is_asked_as_the_caller() -> None:
    dashboard = ScriptedDashboard()
    registration = Registration(
        dashboard_pb2_grpc.add_DashboardServiceServicer_to_server,
        dashboard,
        dashboard_pb2.DESCRIPTOR.services_by_name["DashboardService"],
    )
    start, end = datetime(2026, 11, 21, tzinfo=UTC), datetime(2026, 11, 22, tzinfo=UTC)
    async with serving(Service("dashboard", [registration])) as served:
        with acting_as(principal(user_id="user-7")):
            found = await GrpcContextSource(served.channel).agenda(start, end, "Europe/Berlin", timeout_s=5)
    assert found == Agenda(
        (
            AgendaEvent(
                "Stand-up",
                datetime(2026, 11, 21, 8, 30, tzinfo=UTC),
                datetime(2026, 11, 21, 9, tzinfo=UTC),
                "Room 4",
                all_day=False,
                calendar="work",
                demo=False,
            ),
        ),
        (
            AgendaSource("family", stale=True, error="404", demo=False),
            AgendaSource("demo", stale=False, error="", demo=True),
        ),
    )
    ((request, user),) = dashboard.asked
    assert (request.start_time, request.end_time) == (_stamp(2026, 11, 21), _stamp(2026, 11, 22))
    assert (request.time_zone, user) == ("Europe/Berlin", "user-7")
