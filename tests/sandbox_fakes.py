"""A backend that runs nothing: it says what it was told to say."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence

from sandbox_service.domain.isolation import IsolationLayer, IsolationReport
from sandbox_service.domain.outcome import Status
from sandbox_service.domain.run_event import Finished, OutputChunk, RunEvent, Started, Stream
from sandbox_service.ports.isolation_backend import RunSpec

AVAILABLE = IsolationReport(
    available=True, remedy="", backend="fake", layers=(IsolationLayer("seccomp", enforced=True, detail="by a fake"),)
)
BLOCKED = IsolationReport(available=False, remedy="Turn the key.", backend="fake")


def finished(status: Status = Status.OK, exit_code: int = 0, signal: int = 0) -> Finished:
    return Finished(status, exit_code, signal, 0.25, 0.125, 5_000_000, output_truncated=False)


class FakeBackend:
    """Implements IsolationBackend over a script of events.

    Attributes:
        events: what a run yields after `started`.
        hold: while it is cleared, a run stays at its start until it is abandoned.
        specs: what was run.
        killed: runs that ended because they were abandoned.
    """

    def __init__(self, report: IsolationReport = AVAILABLE, events: Sequence[RunEvent] = ()) -> None:
        self.report = report
        self.events = events or (OutputChunk(Stream.STDOUT, b"hi\n"), finished())
        self.error: Exception | None = None
        self.hold = asyncio.Event()
        self.hold.set()
        self.specs: list[RunSpec] = []
        self.killed: list[str] = []
        self.probes = 0
        self.closed = False

    async def probe(self) -> IsolationReport:
        self.probes += 1
        return self.report

    async def run(
        self, spec: RunSpec, *, abandoned: asyncio.Event, on_gone: Callable[[], None]
    ) -> AsyncGenerator[RunEvent, None]:
        self.specs.append(spec)
        complete = False
        try:
            if self.error is not None:
                raise self.error
            yield Started(spec.execution_id)
            while not self.hold.is_set() and not abandoned.is_set():
                await asyncio.sleep(0.001)
            if abandoned.is_set():
                yield finished(Status.KILLED, -1, 9)
                return
            for event in self.events:
                yield event
            complete = True
        finally:
            if not complete:
                self.killed.append(spec.execution_id)
            on_gone()

    async def close(self) -> None:
        self.closed = True
