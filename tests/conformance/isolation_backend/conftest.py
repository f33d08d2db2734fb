"""The backends of the sandbox: namespaces, and containers of whatever OCI runtimes this host has."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from sandbox_service.adapters.isolation_backend_namespaces import NamespaceBackend, NamespaceOptions
from sandbox_service.adapters.isolation_backend_oci import OciBackend, OciOptions
from sandbox_service.domain.image import Image
from sandbox_service.domain.limits import RunLimits
from sandbox_service.domain.outcome import Status
from sandbox_service.domain.program import Language, Program
from sandbox_service.domain.run_event import Finished, OutputChunk, RichOutput, RunEvent, Started, Stream
from sandbox_service.ports.isolation_backend import IsolationBackend, SandboxSpec
from sandbox_service.ports.sandbox import Sandbox
from shared.clock import SystemClock
from shared.ids import new_id

MIB = 1 << 20
_WHERE = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
RUNTIMES = {name: path for name in ("runc", "runsc") if (path := shutil.which(name, path=_WHERE)) and os.geteuid() == 0}
"""Those that this host has; a service that is not root starts no containers."""
PROGRAMS = ("sh", "bash", "sleep", "mkdir")


@dataclass
class Ran:
    """What came of a run or a cell."""

    stdout: bytes = b""
    stderr: bytes = b""
    results: list[dict[str, bytes]] = field(default_factory=list)
    end: Finished | None = None

    @property
    def status(self) -> Status:
        assert self.end is not None
        return self.end.status


@dataclass
class Bench:
    """A backend and what its sandboxes leave."""

    backend: IsolationBackend
    kind: str
    folder: Path
    image: Image
    gone: int = 0

    async def create(self, **options) -> Sandbox:
        limits = RunLimits(
            options.pop("wall_time_s", 20.0),
            options.pop("memory_bytes", 256 * MIB),
            16,
            options.pop("output_bytes", MIB),
        )
        return await self.backend.create(SandboxSpec("org-a", self.image, limits, **options), self._note)

    @asynccontextmanager
    async def sandbox(self, **options) -> AsyncIterator[Sandbox]:
        sandbox = await self.create(**options)
        try:
            yield sandbox
        finally:
            await sandbox.destroy()

    def _note(self) -> None:
        self.gone += 1


async def collected(events, on_event: Callable[[RunEvent], None] | None = None) -> Ran:
    ran = Ran()
    order = []
    async for event in events:
        order.append(type(event))
        match event:
            case OutputChunk(Stream.STDOUT, data):
                ran.stdout += data
            case OutputChunk(_, data):
                ran.stderr += data
            case RichOutput(forms):
                ran.results.append({form.media_type: form.data for form in forms})
            case Finished():
                ran.end = event
            case _:
                pass
        if on_event:
            on_event(event)
    assert order[0] is Started
    assert order[-1] is Finished
    return ran


async def run(sandbox: Sandbox, code: str, stdin: bytes = b"", language: Language = Language.PYTHON) -> Ran:
    return await collected(sandbox.run("run", Program(language, code, stdin)))


async def cell(sandbox: Sandbox, code: str, wall_time_s: float = 20.0) -> Ran:
    return await collected(sandbox.run_cell("cell", code, RunLimits(wall_time_s, 256 * MIB, 16, MIB)))


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """An image with the few programs that the tests start."""
    folder = tmp_path_factory.mktemp("programs")
    folder.chmod(0o755)
    for name in PROGRAMS:
        found = shutil.which(name)
        if found:
            shutil.copy(found, folder / name)
    return Image("base", "test", binds=((str(folder), "/image/bin"),))


@pytest.fixture(params=["namespaces", *RUNTIMES])
async def bench(request: pytest.FixtureRequest, tmp_path: Path, image: Image) -> AsyncIterator[Bench]:
    if request.param == "namespaces":
        backend = NamespaceBackend(NamespaceOptions(16 * MIB, 512, 1.0), SystemClock(), new_id)
    else:
        options = OciOptions(Path(RUNTIMES[request.param]), tmp_path / "containers", 16 * MIB, 512, 1.0)
        backend = OciBackend(options, SystemClock(), new_id)
        assert backend.remedy() == ""
    yield Bench(backend, request.param, tmp_path / "containers", image)
    await backend.close()
