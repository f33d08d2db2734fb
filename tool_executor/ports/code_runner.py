"""Runs untrusted programs."""

from __future__ import annotations

from typing import Protocol

from tool_executor.domain.code_run import CodeRun, Program


class CodeRunner(Protocol):
    """Runs a program where it can do no harm."""

    async def run(self, program: Program) -> CodeRun:
        """Run `program` to its end and return what it printed. Cancelling the call kills the program.

        Raises:
            PreconditionFailed: with reason ISOLATION_UNAVAILABLE when the host cannot isolate it; says the remedy.
            QuotaExceeded: when too many programs run.
            InvalidInput: when the program or its limits are refused.
            UpstreamDown: when the sandbox does not answer or its answer breaks off.
        """
        ...
