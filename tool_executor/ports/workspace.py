"""The workspace of a conversation: an isolated session with variables and files."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from tool_executor.domain.code_run import CodeRun, Program
from tool_executor.domain.workspace_file import FileListing, FilePart


class Workspace(Protocol):
    """The workspace of a conversation, while a call has it to itself.

    Every method raises PreconditionFailed (SANDBOX_GONE) or NotFound (SESSION_UNKNOWN) when it ends meanwhile, and
    UpstreamDown when the sandbox does not answer.
    """

    @property
    def restarted(self) -> bool:
        """Whether the conversation had one before, which is gone with its variables and files."""
        ...

    async def run(self, program: Program) -> CodeRun:
        """Run `program` with the variables and files of those before it. Cancelling the call interrupts it.

        A shell's command line has the files alone.

        Raises:
            InvalidInput: when the program is refused.
        """
        ...

    async def write(self, path: str, pieces: AsyncIterator[bytes], *, append: bool = False) -> int:
        """Write a file, or to its end; return its size. Folders that are missing are made.

        Raises:
            InvalidInput: PATH_INVALID.
            PreconditionFailed: FILE_REFUSED, with the reason.
        """
        ...

    async def read(self, path: str, offset: int, length: int) -> FilePart:
        """Return at most `length` bytes (at most 4 MiB) from `offset` on.

        Raises:
            InvalidInput: PATH_INVALID.
            NotFound: FILE_NOT_FOUND.
            PreconditionFailed: FILE_REFUSED, with the reason.
        """
        ...

    async def files(self) -> FileListing:
        """Return the regular files, by path."""
        ...
