"""The state machine that drives one run: prepare -> model -> (tools -> model)* -> validate -> respond."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from orchestrator.domain.agent_state import AgentState
from orchestrator.ports.agent_steps import AgentSteps


class AgentGraph(Protocol):
    """Drives the nodes and writes a checkpoint after each, so that a run goes on where it stood."""

    async def drive(self, run_id: str, steps: AgentSteps, *, most_nodes: int, resume: bool) -> AgentState:
        """Run the nodes to the end and return the last state.

        With `resume` the work goes on behind the last checkpoint, if there is one; a finished node is not made
        again. What a node raises comes out unchanged.
        """
        ...

    async def state_of(self, run_id: str) -> AgentState | None:
        """Return the state at the last checkpoint, or None without one."""
        ...

    async def forget(self, run_ids: Collection[str]) -> None:
        """Delete the checkpoints of these runs. Idempotent."""
        ...

    async def forget_all_but(self, run_ids: Collection[str]) -> None:
        """Delete the checkpoints of all other runs. Idempotent."""
        ...
