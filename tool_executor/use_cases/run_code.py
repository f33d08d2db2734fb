"""Runs a program where it belongs, and keeps what comes of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from shared.clock import Clock
from tool_executor.domain.code_outcome import CodeOutcome
from tool_executor.domain.code_result import results_of
from tool_executor.domain.code_run import CodeLanguage, CodeRun, Program
from tool_executor.domain.tool_call import CallContext
from tool_executor.domain.workspace_file import FileChoice, FileIn, LeftFiles, changed_files
from tool_executor.ports.code_runner import CodeRunner
from tool_executor.ports.workspace import Workspace
from tool_executor.ports.workspaces import Workspaces
from tool_executor.use_cases.bound_result import in_chunks
from tool_executor.use_cases.move_artifacts import LeftFile, Load, MoveArtifacts, workspace_file

_MARGIN_S = 2.0
"""Time that starting and reporting a run may take beside the program itself."""
_LEAST_WALL_S = 0.2
_SAVE_THEM = "They stay in the workspace; save_file keeps one."


@dataclass(frozen=True, slots=True)
class CodeOrder:
    """A program to run.

    Args:
        code: its source.
        language: what it is written in.
        stdin: what it reads.
        loads: artifacts to put into its workspace first.
    """

    code: str
    language: CodeLanguage
    stdin: str = ""
    loads: tuple[Load, ...] = ()


class RunCode:
    """Runs programs: in the workspace of the call's conversation, or once and for all where there is none.

    Args:
        runner: runs those without a conversation.
        workspaces: of the conversations.
        artifacts: what programs are given, and what is kept of what they leave.
        clock: measures what waiting and loading take of a call's time.
        wall_time_s: longest time that a program may take.
    """

    def __init__(
        self, runner: CodeRunner, workspaces: Workspaces, artifacts: MoveArtifacts, clock: Clock, *, wall_time_s: float
    ) -> None:
        self._runner = runner
        self._workspaces = workspaces
        self._artifacts = artifacts
        self._clock = clock
        self._wall_time_s = wall_time_s

    async def __call__(self, tool: str, order: CodeOrder, call: CallContext) -> CodeOutcome:
        """Run `order` for `tool`. Cancelling the call stops the program; a workspace outlives it.

        Raises:
            ToolFailure: ARTIFACTS_TOO_LARGE.
            NexusError: what the sandbox refuses, for example ISOLATION_UNAVAILABLE with the remedy; what may not be
                loaded.
        """
        began_s = self._clock.monotonic()
        if call.origin.conversation_id:
            async with self._workspaces.used(call) as workspace:
                return await self._in_workspace(workspace, tool, order, call, began_s)
        given = await self._artifacts.given(order.loads, call)
        run, left = await self._runner.run(self._program(order, call, began_s), given)
        return await self._outcome(tool, call, run, left)

    async def _in_workspace(
        self, workspace: Workspace, tool: str, order: CodeOrder, call: CallContext, began_s: float
    ) -> CodeOutcome:
        for load in order.loads:
            await self._artifacts.into(workspace, load, call)
        before = await workspace.files()
        run = await workspace.run(self._program(order, call, began_s))
        choice = FileChoice()
        changed = [] if run.session_ended else changed_files(before.files, (await workspace.files()).files)
        kept = tuple(
            workspace_file(workspace, file.path) for file in changed if choice.takes(file.path, file.size_bytes)
        )
        left = LeftFiles(notes=choice.notes(_SAVE_THEM))
        return await self._outcome(tool, call, run, left, kept=kept, restarted=workspace.restarted)

    def _program(self, order: CodeOrder, call: CallContext, began_s: float) -> Program:
        left_s = call.timeout_s - (self._clock.monotonic() - began_s)
        return Program(
            code=order.code,
            stdin=order.stdin,
            wall_time_s=min(self._wall_time_s, max(_LEAST_WALL_S, left_s - _MARGIN_S)),
            timeout_s=max(_LEAST_WALL_S, left_s) + _MARGIN_S,
            request_id=call.request_id,
            language=order.language,
        )

    async def _outcome(
        self,
        tool: str,
        call: CallContext,
        run: CodeRun,
        left: LeftFiles,
        *,
        kept: tuple[LeftFile, ...] = (),
        restarted: bool = False,
    ) -> CodeOutcome:
        results = results_of(run.shown)
        files = (*map(_in_memory, results.files), *map(_in_memory, left.files), *kept)
        handles, notes = await self._artifacts.keep_all(tool, call, files)
        return CodeOutcome(run, results, handles, (*left.notes, *notes), restarted)


def _in_memory(file: FileIn) -> LeftFile:
    return LeftFile(file.path, partial(in_chunks, file.data))
