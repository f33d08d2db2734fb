"""Execute a program: grant its limits, wait for a place, run it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from sandbox_service.domain.errors import isolation_unavailable, program_invalid
from sandbox_service.domain.limits import LimitPolicy, RunLimits
from sandbox_service.domain.program import MAX_CODE_BYTES, MAX_STDIN_BYTES, Program
from sandbox_service.domain.run_event import RunEvent
from sandbox_service.ports.isolation_backend import IsolationBackend, RunSpec
from sandbox_service.use_cases.admit_run import AdmitRun
from sandbox_service.use_cases.report_isolation import ReportIsolation
from shared.errors import FieldViolation
from shared.ids import IdSource


class ExecuteProgram:
    """Runs programs, never without isolation."""

    def __init__(
        self,
        backend: IsolationBackend,
        report: ReportIsolation,
        admit: AdmitRun,
        policy: LimitPolicy,
        new_id: IdSource,
    ) -> None:
        self._backend = backend
        self._report = report
        self._admit = admit
        self._policy = policy
        self._new_id = new_id

    async def __call__(
        self, program: Program, wanted: RunLimits, abandoned: asyncio.Event
    ) -> AsyncGenerator[RunEvent, None]:
        """Run `program` and yield its events; setting `abandoned` or closing the generator kills it.

        Args:
            program: what to run.
            wanted: limits that the caller asks for, 0 for the default of each.
            abandoned: set it when nobody listens any more.

        Raises:
            InvalidInput: PROGRAM_INVALID or LIMIT_OUT_OF_RANGE.
            PreconditionFailed: ISOLATION_UNAVAILABLE, with the remedy.
            QuotaExceeded: SANDBOX_BUSY.
        """
        _check(program)
        limits = self._policy.granted(wanted)
        report = await self._report()
        if not report.available:
            raise isolation_unavailable(report)
        give_back = await self._admit()
        try:
            spec = RunSpec(self._new_id(), program, limits)
            async with aclosing(self._backend.run(spec, abandoned=abandoned, on_gone=give_back)) as events:
                async for event in events:
                    yield event
        finally:
            give_back()


def _check(program: Program) -> None:
    """Refuse a program that no interpreter would take, or that is larger than its contract says."""
    size = len(program.code.encode())
    violations: list[FieldViolation] = []
    if not 1 <= size <= MAX_CODE_BYTES:
        violations.append(FieldViolation("code", f"must be 1 to {MAX_CODE_BYTES} bytes and is {size}"))
    if "\0" in program.code:
        violations.append(FieldViolation("code", "must not hold a NUL character"))
    if len(program.stdin) > MAX_STDIN_BYTES:
        violations.append(FieldViolation("stdin", f"must be at most {MAX_STDIN_BYTES} bytes"))
    if violations:
        raise program_invalid(violations)
