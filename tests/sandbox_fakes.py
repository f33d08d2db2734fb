"""A backend that runs nothing: it says what it was told to say. And images that hold nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence

from sandbox_service.domain.errors import file_not_found, image_unknown, sandbox_gone
from sandbox_service.domain.image import Image, ListedImage
from sandbox_service.domain.isolation import IsolationLayer, IsolationReport
from sandbox_service.domain.isolation_level import IsolationLevel
from sandbox_service.domain.limits import RunLimits
from sandbox_service.domain.long_process import LongProgram
from sandbox_service.domain.outcome import KillReason, Status
from sandbox_service.domain.program import Language, Program
from sandbox_service.domain.run_event import Finished, OutputChunk, RunEvent, Started, Stream
from sandbox_service.domain.workspace import Listing
from sandbox_service.ports.isolation_backend import SandboxSpec

AVAILABLE = IsolationReport(
    available=True, remedy="", backend="fake", layers=(IsolationLayer("seccomp", enforced=True, detail="by a fake"),)
)
BLOCKED = IsolationReport(available=False, remedy="Turn the key.", backend="fake")


def finished(status: Status = Status.OK, exit_code: int = 0, signal: int = 0) -> Finished:
    return Finished(status, exit_code, signal, 0.25, 0.125, 5_000_000, output_truncated=False)


class FakeImages:
    """Implements ImageStore with a base image, and one that is not set up."""

    IMAGES = (Image("base", "sha256:" + "b" * 64), Image("data", "sha256:" + "d" * 64))

    def find(self, name: str) -> Image:
        for image in self.IMAGES:
            if name in (image.name, image.digest) or (not name and image.name == "base"):
                return image
        raise image_unknown(name, [image.name for image in self.IMAGES])

    def all(self) -> Sequence[ListedImage]:
        base = self.IMAGES[0]
        return [
            ListedImage(base.name, base.digest, "for all", ("x==1",)),
            ListedImage("gpu", "", "for some", (), "Set it up."),
        ]


class FixedPolicy:
    """Implements IsolationPolicy with one level for all."""

    def __init__(self, level: IsolationLevel = IsolationLevel.NAMESPACES) -> None:
        self.level = level

    async def least(self, org_id: str) -> IsolationLevel:
        return self.level

    async def stop(self) -> None:
        pass


class FakeSandbox:
    """Implements Sandbox over the backend's script of events and a dictionary of files."""

    def __init__(self, backend: FakeBackend, spec: SandboxSpec, on_gone: Callable[[], None]) -> None:
        self.backend = backend
        self.spec = spec
        self.files: dict[str, bytes] = {}
        self.programs: list[Program] = []
        self.cells: list[str] = []
        self.processes: list[LongProgram] = []
        self.written: list[bytes] = []
        self.is_alive = True
        self.killed: KillReason | None = None
        self._stop = asyncio.Event()
        self._on_gone = on_gone
        self._gone = False
        self._runs = ""

    async def write_file(self, path: str, offset: int, data: bytes) -> int:
        self._check()
        self.files[path] = self.files.get(path, b"")[:offset] + data
        return len(self.files[path])

    async def read_file(self, path: str, offset: int, length: int) -> tuple[bytes, int]:
        self._check()
        if path not in self.files:
            raise file_not_found(path)
        return self.files[path][offset : offset + length], len(self.files[path])

    async def list_files(self) -> Listing:
        self._check()
        return Listing(tuple((path, len(data), 0) for path, data in sorted(self.files.items())), truncated=False)

    async def run(self, execution_id: str, program: Program) -> AsyncGenerator[RunEvent, None]:
        self.programs.append(program)
        async for event in self._script(execution_id):
            yield event

    async def open_kernel(self, language: Language) -> None:
        self._raise()

    async def run_cell(self, execution_id: str, code: str, limits: RunLimits) -> AsyncGenerator[RunEvent, None]:
        self._check()
        self.cells.append(code)
        self.backend.cell_limits.append(limits)
        self.killed = None
        self._stop.clear()
        async for event in self._script(execution_id):
            yield event
        if code == "die":
            self.is_alive = False

    async def start_process(self, program: LongProgram) -> AsyncGenerator[RunEvent, None]:
        self.processes.append(program)
        async for event in self._script(""):
            yield event

    async def write_input(self, data: bytes, *, end: bool) -> None:
        self._check()
        self.written.append(data)

    def kill(self, reason: KillReason) -> None:
        self.killed = self.killed or reason
        if self._runs and not self._stop.is_set():
            self.backend.killed.append(self._runs)
        self._stop.set()

    def discard(self) -> None:
        self.kill(KillReason.ABANDONED)
        self.is_alive = False
        if not self._gone:
            self._gone = True
            self._on_gone()

    async def destroy(self) -> None:
        self.discard()

    async def _script(self, execution_id: str) -> AsyncGenerator[RunEvent, None]:
        self._runs = execution_id
        try:
            async for event in self._events(execution_id):
                yield event
        finally:
            self.kill(KillReason.ABANDONED)
            self._runs = ""

    async def _events(self, execution_id: str) -> AsyncGenerator[RunEvent, None]:
        yield Started(execution_id)
        while not self.backend.hold.is_set() and not self._stop.is_set():
            await asyncio.sleep(0.001)
        if self._stop.is_set():
            yield finished(Status.KILLED, -1, 9)
            return
        for event in self.backend.events:
            yield event
            if isinstance(event, Finished):
                self._runs = ""

    def _raise(self) -> None:
        if self.backend.error is not None:
            raise self.backend.error

    def _check(self) -> None:
        if self._gone:
            raise sandbox_gone()


class FakeBackend:
    """Implements IsolationBackend over a script of events.

    Attributes:
        events: what a run yields after `started`.
        hold: while it is cleared, a run stays at its start until it is killed.
        sandboxes: what was made.
        files: what the workspace of each new sandbox holds.
        cell_limits: limits of the cells that were run.
        killed: runs that were ended before their time.
    """

    def __init__(self, report: IsolationReport = AVAILABLE, events: Sequence[RunEvent] = ()) -> None:
        self.report = report
        self.events = events or (OutputChunk(Stream.STDOUT, b"hi\n"), finished())
        self.error: Exception | None = None
        self.hold = asyncio.Event()
        self.hold.set()
        self.sandboxes: list[FakeSandbox] = []
        self.files: dict[str, bytes] = {}
        self.cell_limits: list[RunLimits] = []
        self.killed: list[str] = []
        self.probes = 0
        self.closed = False

    @property
    def specs(self) -> list[SandboxSpec]:
        return [sandbox.spec for sandbox in self.sandboxes]

    async def probe(self) -> IsolationReport:
        self.probes += 1
        return self.report

    async def create(self, spec: SandboxSpec, on_gone: Callable[[], None]) -> FakeSandbox:
        if self.error is not None:
            raise self.error
        sandbox = FakeSandbox(self, spec, on_gone)
        sandbox.files.update(self.files)
        self.sandboxes.append(sandbox)
        return sandbox

    async def close(self) -> None:
        self.closed = True
