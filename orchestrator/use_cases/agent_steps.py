"""The nodes of the graph bound to one attempt at a run: each records that it began, then does its work."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.domain.agent_state import AgentState
from orchestrator.domain.events import StepStarted
from orchestrator.use_cases.call_tools import CallTools
from orchestrator.use_cases.prepare_run import PrepareRun
from orchestrator.use_cases.respond import Respond
from orchestrator.use_cases.run_work import RunWork
from orchestrator.use_cases.take_turn import TakeTurn
from orchestrator.use_cases.validate_answer import ValidateAnswer


@dataclass(frozen=True, slots=True)
class AgentNodes:
    """What the nodes do."""

    prepare: PrepareRun
    take_turn: TakeTurn
    call_tools: CallTools
    validate: ValidateAnswer
    respond: Respond


class BoundSteps:
    """`AgentSteps` for one attempt."""

    def __init__(self, nodes: AgentNodes, work: RunWork) -> None:
        self._nodes = nodes
        self._work = work

    async def prepare(self, state: AgentState) -> AgentState:
        """See `AgentSteps.prepare`."""
        del state
        self._began("prepare")
        return await self._nodes.prepare(self._work)

    async def model(self, state: AgentState) -> AgentState:
        """See `AgentSteps.model`."""
        self._began("model")
        return await self._nodes.take_turn(self._work, state)

    async def tools(self, state: AgentState) -> AgentState:
        """See `AgentSteps.tools`."""
        self._began("tools")
        return await self._nodes.call_tools(self._work, state)

    async def validate(self, state: AgentState) -> AgentState:
        """See `AgentSteps.validate`."""
        self._began("validate")
        return self._nodes.validate(self._work, state)

    async def respond(self, state: AgentState) -> AgentState:
        """See `AgentSteps.respond`."""
        self._began("respond")
        return await self._nodes.respond(self._work, state)

    def _began(self, step: str) -> None:
        self._work.events.note(StepStarted(step, self._work.run.attempt), urgent=False)
