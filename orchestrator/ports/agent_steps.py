"""What the nodes of the agent graph do."""

from __future__ import annotations

from typing import Protocol

from orchestrator.domain.agent_state import AgentState


class AgentSteps(Protocol):
    """The nodes. Each takes the state and returns the keys that it changes."""

    async def prepare(self, state: AgentState) -> AgentState:
        """Choose the model and the way to call tools."""
        ...

    async def model(self, state: AgentState) -> AgentState:
        """Make one turn: text, or tool calls to make."""
        ...

    async def tools(self, state: AgentState) -> AgentState:
        """Make the open tool calls."""
        ...

    async def validate(self, state: AgentState) -> AgentState:
        """Check the answer; may ask for another turn."""
        ...

    async def respond(self, state: AgentState) -> AgentState:
        """Finish the answer."""
        ...
