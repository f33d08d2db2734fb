"""Port: the logs of the processes."""

from __future__ import annotations

from typing import Protocol

from mesh.supervisor.domain.process_spec import ProcessSpec


class LogTail(Protocol):
    """Reads the newest lines of a process's log and keeps the logs bounded."""

    async def read(self, spec: ProcessSpec, lines: int) -> str:
        """Return at most the last `lines` lines; empty when there is none."""
        ...

    async def trim(self, spec: ProcessSpec) -> None:
        """Set the log aside and begin a new one when it has outgrown its limit."""
        ...
