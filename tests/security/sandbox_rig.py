"""Runs programs through the sandbox's gRPC service over the real backend, and looks at what they leave behind."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, NoReturn

import psutil
from sandbox_fakes import FixedPolicy

from protos.gen.nexus.sandbox.v1 import sandbox_pb2, sandbox_pb2_grpc
from sandbox_service.adapters.image_store_folder import FolderImageStore
from sandbox_service.adapters.isolation_backend_namespaces import NamespaceBackend
from sandbox_service.domain.isolation import IsolationReport
from sandbox_service.main import Outside, build_over, namespace_options
from sandbox_service.settings import Settings
from shared.client import translated_errors
from shared.clock import SystemClock
from shared.errors import NexusError
from shared.ids import new_id
from shared.server import Dependencies
from shared.testing.harness import Served, principal, serving

OK = sandbox_pb2.EXECUTION_STATUS_OK
ERROR = sandbox_pb2.EXECUTION_STATUS_ERROR
TIMEOUT = sandbox_pb2.EXECUTION_STATUS_TIMEOUT
OUT_OF_MEMORY = sandbox_pb2.EXECUTION_STATUS_OUT_OF_MEMORY
OUTPUT_LIMIT = sandbox_pb2.EXECUTION_STATUS_OUTPUT_LIMIT
POLICY = sandbox_pb2.EXECUTION_STATUS_POLICY
MIB = 1 << 20


@dataclass
class Ran:
    """What came of a run or a cell."""

    stdout: bytes
    stderr: bytes
    end: sandbox_pb2.ExecutionFinished
    results: list[sandbox_pb2.RichOutput] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    closed: bool = False

    @property
    def text(self) -> str:
        return self.stdout.decode()


async def collected(events: Any) -> Ran:
    """Return what comes of a stream of events, which must begin and end as the contract says."""
    ran, names = Ran(b"", b"", sandbox_pb2.ExecutionFinished()), []
    async for said in events:
        is_cell = isinstance(said, sandbox_pb2.ExecuteInSessionResponse)
        event = said.event if is_cell else said
        names.append(event.WhichOneof("event"))
        ran.stdout += event.stdout
        ran.stderr += event.stderr
        if names[-1] == "result":
            ran.results.append(event.result)
        if names[-1] == "file":
            ran.files[event.file.path] = ran.files.get(event.file.path, b"") + event.file.data
        if names[-1] == "finished":
            ran.end, ran.closed = event.finished, is_cell and said.session_closed
    assert names[0] == "started"
    assert names[-1] == "finished"
    assert not {"started", "finished"} & set(names[1:-1])
    return ran


@dataclass
class Session:
    """An open session."""

    stub: Any
    session_id: str

    def start(self, code: str, *, wall_ms: int = 0, output_paths: tuple[str, ...] = ()) -> Any:
        request = sandbox_pb2.ExecuteInSessionRequest(session_id=self.session_id, code=code, output_paths=output_paths)
        if wall_ms:
            request.wall_time.FromMilliseconds(wall_ms)
        return self.stub.ExecuteInSession(request, timeout=60)

    async def cell(self, code: str, **options: Any) -> Ran:
        return await collected(self.start(code, **options))

    async def says(self, code: str) -> str:
        """Return what a cell prints that must end well."""
        ran = await self.cell(code)
        assert ran.end.status == OK, (ran.end, ran.stderr.decode())
        return ran.text.strip()

    async def write(self, path: str, data: bytes, offset: int = 0) -> int:
        request = sandbox_pb2.WriteFileRequest(session_id=self.session_id, path=path, data=data, offset=offset)
        async with translated_errors("sandbox"):
            return (await self.stub.WriteFile(request, timeout=10)).size_bytes

    async def read(self, path: str, offset: int = 0, length: int = 0) -> bytes:
        request = sandbox_pb2.ReadFileRequest(session_id=self.session_id, path=path, offset=offset, length=length)
        async with translated_errors("sandbox"):
            return (await self.stub.ReadFile(request, timeout=10)).chunk.data

    async def listing(self) -> sandbox_pb2.ListFilesResponse:
        async with translated_errors("sandbox"):
            return await self.stub.ListFiles(sandbox_pb2.ListFilesRequest(session_id=self.session_id), timeout=10)

    async def close(self) -> None:
        async with translated_errors("sandbox"):
            await self.stub.CloseSession(sandbox_pb2.CloseSessionRequest(session_id=self.session_id))


async def refusal(call: Awaitable[object]) -> str:
    """Return the reason with which a call is refused; `WORKED` when it is not."""
    try:
        async with translated_errors("sandbox"):
            worked = await call
    except NexusError as error:
        return error.reason
    return f"WORKED: {str(worked)[:200]}"


@dataclass
class Sandbox:
    """The service under test."""

    stub: Any
    served: Served

    def of(self, org_id: str, user_id: str = "") -> Sandbox:
        """Return the same service as another organisation or user sees it."""
        channel = self.served.channel_as(principal(org_id, user_id or f"user-of-{org_id}"))
        return Sandbox(sandbox_pb2_grpc.SandboxServiceStub(channel), self.served)

    def start(
        self,
        code: str,
        stdin: bytes = b"",
        *,
        wall_ms: int = 0,
        strict: bool = False,
        output_paths: tuple[str, ...] = (),
        files: dict[str, bytes] | None = None,
        egress: tuple[str, ...] = (),
        **limits: int,
    ) -> Any:
        request = sandbox_pb2.ExecuteRequest(language=sandbox_pb2.LANGUAGE_PYTHON, code=code, stdin=stdin)
        request.limits.CopyFrom(sandbox_pb2.ExecutionLimits(**limits))
        request.strict = strict
        request.output_paths.extend(output_paths)
        request.egress.extend(egress)
        request.files.extend(sandbox_pb2.InputFile(path=path, data=data) for path, data in (files or {}).items())
        if wall_ms:
            request.limits.wall_time.FromMilliseconds(wall_ms)
        return self.stub.Execute(request, timeout=60)

    async def run(self, code: str, stdin: bytes = b"", **options: Any) -> Ran:
        return await collected(self.start(code, stdin, **options))

    async def says(self, code: str, stdin: bytes = b"", **options: Any) -> str:
        """Return what a program prints that must end well."""
        ran = await self.run(code, stdin, **options)
        assert ran.end.status == OK, (ran.end, ran.stderr.decode())
        return ran.text.strip()

    async def session(self, language: int = sandbox_pb2.LANGUAGE_PYTHON, **limits: int) -> Session:
        request = sandbox_pb2.CreateSessionRequest(language=language, limits=sandbox_pb2.ExecutionLimits(**limits))
        opened = await self.stub.CreateSession(request, timeout=10)
        return Session(self.stub, opened.session.session_id)

    @asynccontextmanager
    async def opened(self, **limits: int) -> AsyncGenerator[Session, None]:
        """Yield a session that is closed afterwards, if its program has not ended it."""
        session = await self.session(**limits)
        try:
            yield session
        finally:
            await refusal(session.close())


class ProbedOnce(NamespaceBackend):
    """The real backend, which probes in the first test alone: a probe is three runs."""

    _known: ClassVar[list[IsolationReport]] = []

    async def probe(self) -> IsolationReport:
        if not self._known:
            self._known.append(await super().probe())
        return self._known[0]


@asynccontextmanager
async def real_sandbox(**settings: Any) -> AsyncGenerator[Sandbox, None]:
    chosen, deps = Settings(**settings), Dependencies(SystemClock(), new_id, _no_channel)
    backend = ProbedOnce(namespace_options(chosen), deps.clock, deps.new_id)
    service = build_over(
        Outside(backend, FolderImageStore(chosen.images_dir.expanduser()), FixedPolicy()), chosen, deps
    )
    async with serving(service) as served:
        sandbox = Sandbox(sandbox_pb2_grpc.SandboxServiceStub(served.channel), served)
        report = await sandbox.stub.GetIsolation(sandbox_pb2.GetIsolationRequest())
        assert report.available, f"this host does not isolate: {report.remedy}"
        yield sandbox


def _no_channel(_address: str) -> NoReturn:
    raise AssertionError("the sandbox calls nobody")


async def until(condition: Callable[[], bool], seconds: float = 3.0) -> None:
    deadline_s = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline_s, "it did not come true"
        await asyncio.sleep(0.02)


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def mounts() -> str:
    return Path("/proc/self/mountinfo").read_text()


def children() -> list[int]:
    """Processes of untrusted code: all that live below the PID 1 of a sandbox, which zygotes fork."""
    found: list[int] = []
    for zygote in psutil.Process().children():
        for init in zygote.children():
            try:
                found += [process.pid for process in init.children(recursive=True)]
            except psutil.NoSuchProcess:
                continue
    return found


def processes_with(marker: str) -> list[int]:
    """Processes of the whole host that carry `marker` in their command line."""
    everything = psutil.process_iter(["pid", "cmdline"])
    found = [p.pid for p in everything if any(marker in word for word in p.info["cmdline"] or ())]
    return [pid for pid in found if pid != os.getpid()]


def control_groups() -> list[Path]:
    """Control groups of sandboxes of this process in which nobody is any more: organisation, zygote, sandbox."""
    found = [Path(folder) for folder, *_ in os.walk("/sys/fs/cgroup") if f"nexus-sandbox-{os.getpid()}/" in folder]
    depths = {folder: str(folder).partition(f"nexus-sandbox-{os.getpid()}/")[2].count("/") for folder in found}
    return [folder for folder, depth in depths.items() if depth == 2 and _is_empty(folder)]


def _is_empty(folder: Path) -> bool:
    try:
        return not (folder / "cgroup.procs").read_text()
    except OSError:
        return False  # removed just now
