"""Runs programs through the sandbox's gRPC service over the real backend, and looks at what they leave behind."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
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
from shared.clock import SystemClock
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
    """What came of a run."""

    stdout: bytes
    stderr: bytes
    end: sandbox_pb2.ExecutionFinished

    @property
    def text(self) -> str:
        return self.stdout.decode()


@dataclass
class Sandbox:
    """The service under test."""

    stub: Any
    served: Served

    def of(self, org_id: str) -> Sandbox:
        """Return the same service as another organisation sees it."""
        channel = self.served.channel_as(principal(org_id, f"user-of-{org_id}"))
        return Sandbox(sandbox_pb2_grpc.SandboxServiceStub(channel), self.served)

    def start(self, code: str, stdin: bytes = b"", *, wall_ms: int = 0, strict: bool = False, **limits: int) -> Any:
        request = sandbox_pb2.ExecuteRequest(language=sandbox_pb2.LANGUAGE_PYTHON, code=code, stdin=stdin)
        request.limits.CopyFrom(sandbox_pb2.ExecutionLimits(**limits))
        request.strict = strict
        if wall_ms:
            request.limits.wall_time.FromMilliseconds(wall_ms)
        return self.stub.Execute(request, timeout=60)

    async def run(self, code: str, stdin: bytes = b"", **options: Any) -> Ran:
        out, err, events = b"", b"", []
        async for event in self.start(code, stdin, **options):
            events.append(event.WhichOneof("event"))
            out, err, last = out + event.stdout, err + event.stderr, event
        assert events[0] == "started"
        assert events[-1] == "finished"
        assert not {"started", "finished"} & set(events[1:-1])
        return Ran(out, err, last.finished)

    async def says(self, code: str, **options: Any) -> str:
        """Return what a program prints that must end well."""
        ran = await self.run(code, **options)
        assert ran.end.status == OK, (ran.end, ran.stderr.decode())
        return ran.text.strip()


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
    """Control groups of sandboxes of this process in which nobody is any more."""
    found = [Path(folder) for folder, *_ in os.walk("/sys/fs/cgroup") if f"nexus-sandbox-{os.getpid()}/" in folder]
    return [folder for folder in found if folder.parent.name.isdigit() and _is_empty(folder)]


def _is_empty(folder: Path) -> bool:
    try:
        return not (folder / "cgroup.procs").read_text()
    except OSError:
        return False  # removed just now
