"""Something that can run untrusted code in isolation."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import Protocol

from sandbox_service.domain.isolation import IsolationReport
from sandbox_service.domain.limits import RunLimits
from sandbox_service.domain.program import Program
from sandbox_service.domain.run_event import RunEvent


@dataclass(frozen=True, slots=True)
class RunSpec:
    """One run.

    Attributes:
        execution_id: UUIDv7, unique among all runs.
        program: what to run.
        limits: what it may use, all of them positive.
    """

    execution_id: str
    program: Program
    limits: RunLimits


class IsolationBackend(Protocol):
    """Runs programs so that they reach nothing of the host and nothing of each other."""

    async def probe(self) -> IsolationReport:
        """Return what is enforced, by running real programs. Idempotent; takes up to a few seconds.

        Never raises for a host that cannot isolate: the report says so and names the remedy.
        """
        ...

    def run(
        self, spec: RunSpec, *, abandoned: asyncio.Event, on_gone: Callable[[], None]
    ) -> AsyncGenerator[RunEvent, None]:
        """Run a program and yield its events.

        When `abandoned` is set, or the generator is closed, the whole process tree is killed. `on_gone` is called once,
        when no process of the run is left, which may be before its last events are read. A consumer that reads
        slowly slows the program down; it does not make the service hold more.

        Raises:
            Internal: RUN_NOT_STARTED, when the isolation of this run cannot be built.
        """
        ...

    async def close(self) -> None:
        """Kill every run and wait until nothing of them is left. Idempotent."""
        ...
