"""Fakes of the tool executor's ports."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from artifact_fakes import MemoryArtifactStore

from shared.auth.principal import Principal
from shared.clock import Clock
from shared.errors import InvalidInput, NexusError, NotFound, QuotaExceeded
from shared.ids import new_id
from shared.testing.fakes import FakeClock
from shared.testing.harness import principal
from tool_executor.domain.agenda import Agenda
from tool_executor.domain.artifact import media_type_of
from tool_executor.domain.audit_event import AuditEvent
from tool_executor.domain.calculation import Calculation, CalculationError
from tool_executor.domain.code_run import CodeRun, CodeStatus, Program
from tool_executor.domain.tool_call import CallContext, ToolFailure, ToolOutput
from tool_executor.domain.tool_decision import PolicyQuestion, ToolDecision, ToolRules
from tool_executor.domain.tool_definition import JsonObject, SideEffect, ToolDefinition
from tool_executor.domain.tool_standing import QuotaUse
from tool_executor.domain.workspace_file import FileEntry, FileIn, FileListing, FilePart, LeftFiles
from tool_executor.ports.artifact_store import ArtifactStore
from tool_executor.ports.embedder import Embedded
from tool_executor.use_cases.authorize_call import AuthorizeCall
from tool_executor.use_cases.move_artifacts import MoveArtifacts
from tool_executor.use_cases.note_call import NoteCall
from tool_executor.use_cases.run_code import RunCode

ECHO = ToolDefinition(
    name="echo",
    version="1.0.0",
    description="Says what it was told.",
    input_schema={
        "type": "object",
        "additionalProperties": False,
        "required": ["text"],
        "properties": {
            "text": {"type": "string", "maxLength": 100_000},
            "mood": {"enum": ["calm", "loud"]},
            "tags": {"type": "array", "items": {"type": "string"}},
        },
    },
    output_schema={"type": "object", "required": ["text"], "properties": {"text": {"type": "string"}}},
    side_effect=SideEffect.READ,
    timeout_s=0.2,
    max_concurrency=2,
    examples=("Say hello",),
)


def call_context(**changes: Any) -> CallContext:
    """Return a context of an owner in Berlin."""
    values: dict[str, Any] = {
        "principal": principal(),
        "time_zone": "Europe/Berlin",
        "timeout_s": 5.0,
        "request_id": "",
    }
    return CallContext(**(values | changes))


class ScriptedTool:
    """Does what the test says, and counts how often it was asked."""

    def __init__(
        self,
        behaviour: Callable[[JsonObject, CallContext], Awaitable[ToolOutput]] | None = None,
        definition: ToolDefinition = ECHO,
    ) -> None:
        self._behaviour = behaviour or self._echo
        self._definition = definition
        self.calls: list[tuple[JsonObject, CallContext]] = []

    @property
    def definition(self) -> ToolDefinition:
        """What the tool says of itself."""
        return self._definition

    async def run(self, arguments: JsonObject, call: CallContext) -> ToolOutput:
        """Do what the test says."""
        self.calls.append((arguments, call))
        return await self._behaviour(arguments, call)

    @staticmethod
    async def _echo(arguments: JsonObject, call: CallContext) -> ToolOutput:
        await asyncio.sleep(0)
        return ToolOutput({"text": arguments["text"]}, str(arguments["text"]))


class FakeToolPolicy:
    """Knows what organisations have disabled, and blocks what the test says; raises `error` when there is one."""

    def __init__(self) -> None:
        self.disabled: dict[str, frozenset[str]] = {}
        self.blocked: dict[str, str] = {}
        self.error: NexusError | None = None
        self.questions: list[PolicyQuestion] = []

    async def decisions(self, question: PolicyQuestion, tools: Sequence[ToolDefinition]) -> list[ToolDecision]:
        """Return what the test says of each tool."""
        if self.error:
            raise self.error
        self.questions.append(question)
        return [self._decision(question.principal.org_id, tool.name) for tool in tools]

    def _decision(self, org_id: str, tool: str) -> ToolDecision:
        if tool in self.disabled.get(org_id, ()):
            return ToolDecision(enabled=False, allowed=False, reason="It is off.")
        if tool in self.blocked:
            return ToolDecision(enabled=True, allowed=False, reason="It is blocked.", policies=(self.blocked[tool],))
        return ToolDecision(enabled=True, allowed=True)


class FakeToolSettings:
    """Knows the rules of each organisation."""

    def __init__(self) -> None:
        self.known: dict[str, ToolRules] = {}

    async def rules(self, principal: Principal) -> ToolRules:
        """Return the rules of the principal's organisation."""
        return self.known.get(principal.org_id, ToolRules())


class FakeAuditLog:
    """Keeps events; raises `error` when there is one."""

    def __init__(self) -> None:
        self.events: list[AuditEvent] = []
        self.error: NexusError | None = None

    async def note(self, event: AuditEvent) -> None:
        """Keep the event."""
        if self.error:
            raise self.error
        self.events.append(event)

    async def page(self, org_id: str, *, refused_only: bool, before: str, size: int) -> list[AuditEvent]:
        """Return the newest events of the organisation that are older than `before`."""
        found = [
            each
            for each in reversed(self.events)
            if each.org_id == org_id and not (refused_only and each.allowed) and (not before or each.event_id < before)
        ]
        return found[:size]


def authorizing(policy: FakeToolPolicy, audit: FakeAuditLog | None = None, clock: Clock | None = None) -> AuthorizeCall:
    """Return what lets calls through over fakes."""
    return AuthorizeCall(policy, NoteCall(audit or FakeAuditLog(), clock or FakeClock(), new_id))


class FakeCallQuota:
    """Counts in memory, and a day never ends."""

    def __init__(self) -> None:
        self._minutes: dict[tuple[str, str], int] = {}
        self._days: dict[tuple[str, str], int] = {}

    async def take(self, org_id: str, tool: ToolDefinition, *, dry_run: bool) -> None:
        """Count one call, or refuse it."""
        key = (org_id, tool.name)
        if tool.calls_per_minute and self._minutes.get(key, 0) >= tool.calls_per_minute:
            raise QuotaExceeded("TOOL_RATE_LIMITED", "Too many a minute.", retry_after_s=60)
        if not dry_run and tool.calls_per_day and self._days.get(key, 0) >= tool.calls_per_day:
            raise QuotaExceeded("TOOL_QUOTA_EXCEEDED", "Too many a day.", retry_after_s=3600)
        self._minutes[key] = self._minutes.get(key, 0) + 1
        self._days[key] = self._days.get(key, 0) + (not dry_run)

    async def used(self, org_id: str, tools: Collection[str]) -> dict[str, QuotaUse]:
        """Return how often each was called."""
        return {
            name: QuotaUse(self._minutes.get((org_id, name), 0), self._days.get((org_id, name), 0)) for name in tools
        }


class FakeEmbedder:
    """Makes a vector of the words of a text: a dimension for each word that it ever saw."""

    DIMENSIONS = 256

    def __init__(self) -> None:
        self.model = "local/words"
        self.asked: list[str] = []
        self.error: NexusError | None = None
        self.most_chars = 1_000_000
        self._words: dict[str, int] = {}

    async def embed(self, texts: Sequence[str], model: str = "") -> Embedded:
        """Return the vectors."""
        if self.error:
            raise self.error
        if any(len(text) > self.most_chars for text in texts):
            raise InvalidInput("CONTEXT_TOO_LONG", "The model has less context.")
        self.asked += texts
        return Embedded(model or self.model, [self._vector(text) for text in texts])

    def _vector(self, text: str) -> list[float]:
        vector = [0.0] * self.DIMENSIONS
        for word in re.findall(r"[a-z]+", text.lower()):
            vector[self._words.setdefault(word, len(self._words)) % self.DIMENSIONS] += 1.0
        length = math.sqrt(sum(each * each for each in vector)) or 1.0
        return [each / length for each in vector]


class FakeSolver:
    """Knows one sum."""

    async def solve(self, expression: str, variable: str | None) -> Calculation:
        """Return the one sum, or the error of anything else."""
        if expression != "1 + 1":
            raise CalculationError("EXPRESSION_INVALID", "Only 1 + 1 is known.")
        return Calculation("1 + 1", "1 + 1", "2", "2", decimal_exact=True)


class FakeCodeRunner:
    """Ends every program in the same way, leaves the same files, and keeps what it was given."""

    def __init__(self, run: CodeRun | NexusError | None = None, left: LeftFiles | None = None) -> None:
        self.answer = run or CodeRun(CodeStatus.OK, 0, "hello\n", "", 0.01)
        self.left = left or LeftFiles()
        self.programs: list[Program] = []
        self.given: list[Sequence[FileIn]] = []

    async def run(self, program: Program, files: Sequence[FileIn] = ()) -> tuple[CodeRun, LeftFiles]:
        """Return or raise the answer."""
        self.programs.append(program)
        self.given.append(files)
        if isinstance(self.answer, NexusError):
            raise self.answer
        return self.answer, self.left


class FakeWorkspace:
    """Files in a dictionary; programs do what the test says to them, and end well unless it says otherwise."""

    def __init__(self) -> None:
        self.restarted = False
        self.held: dict[str, bytes] = {}
        self.changes: dict[str, int] = {}
        self.programs: list[Program] = []
        self.on_run: Callable[[Program], CodeRun | None] = lambda _: None

    def put(self, path: str, data: bytes) -> None:
        """Write a file."""
        self.held[path] = data
        self.changes[path] = self.changes.get(path, 0) + 1

    async def run(self, program: Program) -> CodeRun:
        """Do what the test says."""
        self.programs.append(program)
        return self.on_run(program) or CodeRun(CodeStatus.OK, 0, "hello\n", "", 0.01)

    async def write(self, path: str, pieces: AsyncIterator[bytes], *, append: bool = False) -> int:
        """Write a file, or to its end."""
        before = self.held.get(path, b"") if append else b""
        self.put(path, before + b"".join([piece async for piece in pieces]))
        return len(self.held[path])

    async def read(self, path: str, offset: int, length: int) -> FilePart:
        """Return a piece of a file."""
        if path not in self.held:
            raise NotFound("FILE_NOT_FOUND", f"There is no file {path!r} in the workspace.")
        data = self.held[path]
        return FilePart(data[offset : offset + length], len(data), media_type_of(path, "", data))

    async def files(self) -> FileListing:
        """Return the files."""
        return FileListing(
            tuple(FileEntry(path, len(data), self.changes[path]) for path, data in sorted(self.held.items()))
        )


class FakeWorkspaces:
    """One workspace for every conversation of the same user."""

    def __init__(self) -> None:
        self.of: dict[tuple[str, str, str], FakeWorkspace] = {}

    def mine(self, call: CallContext) -> FakeWorkspace:
        """Return the workspace of a call."""
        key = (call.principal.org_id, call.principal.user_id, call.origin.conversation_id)
        return self.of.setdefault(key, FakeWorkspace())

    @asynccontextmanager
    async def used(self, call: CallContext) -> AsyncGenerator[FakeWorkspace, None]:
        """Give the workspace of the call's conversation."""
        if not call.origin.conversation_id:
            raise ToolFailure("WORKSPACE_NEEDS_CONVERSATION", "It needs a conversation.")
        yield self.mine(call)


def code_running(
    runner: FakeCodeRunner | None = None,
    workspaces: FakeWorkspaces | None = None,
    artifacts: ArtifactStore | None = None,
    *,
    wall_time_s: float = 10,
) -> RunCode:
    """Return what runs programs over fakes."""
    return RunCode(
        runner or FakeCodeRunner(),
        workspaces or FakeWorkspaces(),
        MoveArtifacts(artifacts or MemoryArtifactStore()),
        FakeClock(),
        wall_time_s=wall_time_s,
    )


class FakeContextSource:
    """Knows one agenda, and keeps the windows that it was asked for."""

    def __init__(self, agenda: Agenda | None = None) -> None:
        self.known = agenda or Agenda((), ())
        self.windows: list[tuple[datetime, datetime, str]] = []

    async def agenda(self, start: datetime, end: datetime, time_zone: str, *, timeout_s: float) -> Agenda:
        """Return the agenda, whatever the window."""
        self.windows.append((start, end, time_zone))
        return self.known
