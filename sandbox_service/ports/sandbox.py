"""An isolated place with a workspace of its own."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Protocol

from sandbox_service.domain.limits import RunLimits
from sandbox_service.domain.long_process import LongProgram
from sandbox_service.domain.outcome import KillReason
from sandbox_service.domain.program import Language, Program
from sandbox_service.domain.run_event import RunEvent
from sandbox_service.domain.workspace import Listing


class Sandbox(Protocol):
    """One sandbox, in which one thing runs at a time."""

    @property
    def is_alive(self) -> bool:
        """Whether anything can still be done with it."""
        ...

    async def write_file(self, path: str, offset: int, data: bytes) -> int:
        """Write `data` at `offset` of the file at `path`, which then ends there; return its size.

        Raises:
            PreconditionFailed: FILE_REFUSED, with the reason; SANDBOX_GONE.
        """
        ...

    async def read_file(self, path: str, offset: int, length: int) -> tuple[bytes, int]:
        """Return at most `length` bytes of a regular file from `offset` on, and the file's size.

        Raises:
            NotFound: FILE_NOT_FOUND.
            PreconditionFailed: FILE_REFUSED, with the reason; SANDBOX_GONE.
        """
        ...

    async def list_files(self) -> Listing:
        """Return the regular files of the workspace, by path.

        Raises:
            PreconditionFailed: SANDBOX_GONE.
        """
        ...

    def run(self, execution_id: str, program: Program) -> AsyncGenerator[RunEvent, None]:
        """Run a program to its end and yield its events, the end included; its files can be read afterwards.

        A consumer that reads slowly slows the program down; it does not make the service hold more.

        Raises:
            Internal: RUN_NOT_STARTED.
        """
        ...

    async def open_kernel(self, language: Language) -> None:
        """Start what keeps variables between cells.

        Raises:
            Internal: RUN_NOT_STARTED.
        """
        ...

    def run_cell(self, execution_id: str, code: str, limits: RunLimits) -> AsyncGenerator[RunEvent, None]:
        """Run one cell in the kernel and yield its events; afterwards `is_alive` says whether it can go on."""
        ...

    def start_process(self, program: LongProgram) -> AsyncGenerator[RunEvent, None]:
        """Start a long-lived program and yield its events until it ends."""
        ...

    async def write_input(self, data: bytes, *, end: bool) -> None:
        """Write to the long-lived program's standard input, waiting while it does not read.

        Raises:
            PreconditionFailed: SANDBOX_GONE, when it has ended or closed its input.
        """
        ...

    def kill(self, reason: KillReason) -> None:
        """End what runs. A cell is interrupted first; what does not obey within a second is killed. Idempotent."""
        ...

    def discard(self) -> None:
        """Begin to destroy it, without waiting: `close` of the backend does. Idempotent."""
        ...

    async def destroy(self) -> None:
        """Kill everything and wait until nothing of it is left. Idempotent."""
        ...
