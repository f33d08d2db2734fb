"""Execute a program: grant its limits, wait for a place, run it, return its files."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace

from sandbox_service.domain.errors import program_invalid
from sandbox_service.domain.limits import LimitPolicy
from sandbox_service.domain.order import Caller, RunOrder
from sandbox_service.domain.program import MAX_CODE_BYTES, MAX_STDIN_BYTES, Program
from sandbox_service.domain.run_event import Finished, RunEvent, SkippedFile
from sandbox_service.domain.workspace import InputFile, path_problem
from sandbox_service.ports.sandbox import Sandbox
from sandbox_service.use_cases.collect_files import CollectFiles
from sandbox_service.use_cases.open_sandbox import OpenSandbox, Wanted
from sandbox_service.use_cases.running import Running
from shared.errors import FieldViolation, PreconditionFailed
from shared.ids import IdSource

MAX_INPUT_BYTES = 6 << 20
DELIVERY_S = 60.0
"""Seconds after the wall limit in which a reader is to have come for everything."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What executing needs.

    Attributes:
        open_sandbox: makes sandboxes.
        running: what can be cancelled.
        collect: reads files.
        policy: defaults and ceilings.
    """

    open_sandbox: OpenSandbox
    running: Running
    collect: CollectFiles
    policy: LimitPolicy


class ExecuteProgram:
    """Runs programs, never without isolation."""

    def __init__(self, parts: Parts, new_id: IdSource) -> None:
        self._parts = parts
        self._new_id = new_id

    async def __call__(
        self, caller: Caller, order: RunOrder, abandoned: asyncio.Event
    ) -> AsyncGenerator[RunEvent, None]:
        """Run the program of `order` and yield its events; setting `abandoned` or closing the generator kills it.

        Raises:
            InvalidInput: PROGRAM_INVALID or LIMIT_OUT_OF_RANGE.
            NotFound: IMAGE_UNKNOWN.
            PreconditionFailed: ISOLATION_UNAVAILABLE with the remedy, IMAGE_NOT_SET_UP, EGRESS_REFUSED, FILE_REFUSED.
            QuotaExceeded: SANDBOX_BUSY.
        """
        check_program(order.program, order.files)
        limits = self._parts.policy.granted(order.limits)
        wanted = Wanted(order.image, limits, strict=order.strict, egress=order.egress)
        sandbox = await self._parts.open_sandbox(caller, wanted, abandoned)
        execution_id = self._new_id()
        watch = asyncio.create_task(_abandon_when(abandoned, sandbox))
        # A reader that never comes for the output or the files must not hold a place for ever.
        late = asyncio.get_running_loop().call_later(limits.wall_time_s + DELIVERY_S, abandoned.set)
        try:
            with self._parts.running.entered(caller, execution_id, sandbox.kill):
                await _put(sandbox, order.files)
                async with aclosing(self._events(sandbox, execution_id, order)) as events:
                    async for event in events:
                        yield event
        finally:
            late.cancel()
            watch.cancel()
            sandbox.discard()

    async def _events(self, sandbox: Sandbox, execution_id: str, order: RunOrder) -> AsyncGenerator[RunEvent, None]:
        finished: Finished | None = None
        async with aclosing(sandbox.run(execution_id, order.program)) as events:
            async for event in events:
                if isinstance(event, Finished) and order.output_paths:
                    finished = event
                else:
                    yield event
        if finished is None:
            return
        skipped: list[SkippedFile] = []
        try:
            async with aclosing(self._parts.collect(sandbox, order.output_paths, skipped)) as pieces:
                async for piece in pieces:
                    yield piece
        except PreconditionFailed:  # its PID 1 was killed too, for memory: nothing is left to read
            skipped.extend(SkippedFile(path, "not_found") for path in order.output_paths)
        yield replace(finished, skipped_files=tuple(skipped))


async def _abandon_when(abandoned: asyncio.Event, sandbox: Sandbox) -> None:
    await abandoned.wait()
    sandbox.discard()


async def _put(sandbox: Sandbox, files: tuple[InputFile, ...]) -> None:
    for file in files:
        await sandbox.write_file(file.path, 0, file.data)


def check_program(program: Program, files: tuple[InputFile, ...] = ()) -> None:
    """Refuse a program that no interpreter would take, or that is larger than its contract says.

    Raises:
        InvalidInput: PROGRAM_INVALID.
    """
    size = len(program.code.encode())
    violations: list[FieldViolation] = []
    if not 1 <= size <= MAX_CODE_BYTES:
        violations.append(FieldViolation("code", f"must be 1 to {MAX_CODE_BYTES} bytes and is {size}"))
    if "\0" in program.code:
        violations.append(FieldViolation("code", "must not hold a NUL character"))
    if len(program.stdin) > MAX_STDIN_BYTES:
        violations.append(FieldViolation("stdin", f"must be at most {MAX_STDIN_BYTES} bytes"))
    for number, file in enumerate(files):
        problem = path_problem(file.path)
        if problem:
            violations.append(FieldViolation(f"files[{number}].path", problem))
    if sum(len(file.data) for file in files) > MAX_INPUT_BYTES:
        violations.append(FieldViolation("files", f"must be at most {MAX_INPUT_BYTES} bytes together"))
    if violations:
        raise program_invalid(violations)
