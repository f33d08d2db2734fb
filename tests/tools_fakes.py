"""Fakes of the tool executor's ports."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from shared.auth.principal import Principal
from shared.errors import NexusError
from shared.testing.harness import principal
from tool_executor.domain.agenda import Agenda
from tool_executor.domain.calculation import Calculation, CalculationError
from tool_executor.domain.code_run import CodeRun, CodeStatus, Program
from tool_executor.domain.tool_call import CallContext, ToolOutput
from tool_executor.domain.tool_definition import JsonObject, SideEffect, ToolDefinition

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
    values: dict[str, Any] = {"time_zone": "Europe/Berlin", "timeout_s": 5.0, "request_id": ""}
    return CallContext(principal=principal(), **(values | changes))


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
    """Knows the disabled tools of each organisation; raises `error` when there is one."""

    def __init__(self) -> None:
        self.disabled: dict[str, frozenset[str]] = {}
        self.error: NexusError | None = None

    async def disabled_tools(self, principal: Principal) -> frozenset[str]:
        """Return the names of the tools that are off."""
        if self.error:
            raise self.error
        return self.disabled.get(principal.org_id, frozenset())


class FakeSolver:
    """Knows one sum."""

    async def solve(self, expression: str, variable: str | None) -> Calculation:
        """Return the one sum, or the error of anything else."""
        if expression != "1 + 1":
            raise CalculationError("EXPRESSION_INVALID", "Only 1 + 1 is known.")
        return Calculation("1 + 1", "1 + 1", "2", "2", decimal_exact=True)


class FakeCodeRunner:
    """Ends every program in the same way, and keeps it."""

    def __init__(self, run: CodeRun | NexusError | None = None) -> None:
        self.answer = run or CodeRun(CodeStatus.OK, 0, "hello\n", "", 0.01)
        self.programs: list[Program] = []

    async def run(self, program: Program) -> CodeRun:
        """Return or raise the answer."""
        self.programs.append(program)
        if isinstance(self.answer, NexusError):
            raise self.answer
        return self.answer


class FakeContextSource:
    """Knows one agenda, and keeps the windows that it was asked for."""

    def __init__(self, agenda: Agenda | None = None) -> None:
        self.known = agenda or Agenda((), ())
        self.windows: list[tuple[datetime, datetime, str]] = []

    async def agenda(self, start: datetime, end: datetime, time_zone: str, *, timeout_s: float) -> Agenda:
        """Return the agenda, whatever the window."""
        self.windows.append((start, end, time_zone))
        return self.known
