"""Port: starting processes."""

from __future__ import annotations

from typing import Protocol

from mesh.supervisor.domain.process_spec import ProcessSpec


class ChildProcess(Protocol):
    """A process that was started, with all that it started in turn."""

    @property
    def pid(self) -> int:
        """Its process id, which is that of its process group too."""
        ...

    async def wait(self) -> str:
        """Wait for its end and return how it ended, for people. Nothing of its group is left afterwards."""
        ...

    def terminate(self) -> None:
        """Ask it to stop. Does nothing when it has ended."""
        ...

    def kill(self) -> None:
        """Kill it and its group at once. Does nothing when it has ended."""
        ...


class ProcessLauncher(Protocol):
    """Starts processes that die with this one."""

    async def launch(self, spec: ProcessSpec) -> ChildProcess:
        """Start the process.

        Raises:
            UpstreamDown: when the machine cannot start it now.
        """
        ...
