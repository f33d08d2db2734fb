"""The state of the agent graph: plain, serialisable data, written to a checkpoint after every node.

It holds what the run has decided and learned so far. What can be read again (the question, the history, the tools)
is not in it.
"""

from __future__ import annotations

from typing import NotRequired, TypedDict


class CallData(TypedDict):
    """A tool call that was asked for."""

    id: str
    tool: str
    arguments: str


class ResultData(TypedDict):
    """A tool call that has ended: `output` is JSON, empty when `ok` is false; `artifacts` tells what it left."""

    id: str
    tool: str
    ok: bool
    output: str
    summary: str
    artifacts: NotRequired[str]


class TurnData(TypedDict):
    """One model call: what it said, what it asked for, and, once they are there, the results in call order."""

    text: str
    calls: list[CallData]
    results: list[ResultData]


class AgentState(TypedDict, total=False):
    """State between two nodes; a node returns the keys that it changes.

    Attributes:
        model: `provider/model` to ask; empty for the router's chain.
        expected_model: `provider/model` that is expected to answer, for people.
        strategy: `native`, or `guided` for a model without tool calling.
        context_length: tokens that the model can see; 0 when unknown.
        demonstration: whether the model that answers ships with Nexus.
        asked: whether any model was asked so far.
        warned: codes of the warnings given so far.
        turns: the model calls so far.
        steps: how many model calls were made.
        tool_calls: how many tool calls were made.
        finish_reason: why the model stopped last.
        retries: how often an empty answer was asked for again.
        answer: all text that was streamed by finished nodes.
    """

    model: str
    expected_model: str
    strategy: str
    context_length: int
    demonstration: bool
    asked: bool
    warned: list[str]
    turns: list[TurnData]
    steps: int
    tool_calls: int
    finish_reason: str
    retries: int
    answer: str


def initial_state() -> AgentState:
    """Return the state of a run that has not begun."""
    return AgentState(
        model="",
        expected_model="",
        strategy="native",
        context_length=0,
        demonstration=False,
        asked=False,
        warned=[],
        turns=[],
        steps=0,
        tool_calls=0,
        finish_reason="",
        retries=0,
        answer="",
    )


def open_calls(state: AgentState) -> list[CallData]:
    """Return the tool calls of the last turn that have no results yet."""
    turns = state.get("turns", [])
    return turns[-1]["calls"] if turns and not turns[-1]["results"] else []
