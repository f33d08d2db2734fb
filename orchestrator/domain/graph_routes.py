"""Where the graph goes behind a node."""

from __future__ import annotations

from typing import Literal

from orchestrator.domain.agent_state import AgentState, open_calls


def after_model(state: AgentState) -> Literal["tools", "validate"]:
    """Return `tools` while the last turn has open calls."""
    return "tools" if open_calls(state) else "validate"


def after_validate(state: AgentState) -> Literal["model", "respond"]:
    """Return `respond` when the last turn is an answer, `model` when it was dropped."""
    turns = state.get("turns", [])
    return "respond" if turns and turns[-1]["text"] and not turns[-1]["calls"] else "model"
