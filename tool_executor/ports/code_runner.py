"""Runs untrusted programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from tool_executor.domain.code_run import CodeRun, Program
from tool_executor.domain.workspace_file import FileIn, LeftFiles


class CodeRunner(Protocol):
    """Runs a program once, where it can do no harm and nothing of it stays."""

    async def run(self, program: Program, files: Sequence[FileIn] = ()) -> tuple[CodeRun, LeftFiles]:
        """Run `program` to its end over `files`; return what came of it, and what it left that is not among `files`.

        Cancelling the call kills the program.

        Raises:
            PreconditionFailed: with reason ISOLATION_UNAVAILABLE when the host cannot isolate it; says the remedy.
            QuotaExceeded: when too many programs run.
            InvalidInput: when the program, its limits or a path are refused.
            UpstreamDown: when the sandbox does not answer or its answer breaks off.
        """
        ...
