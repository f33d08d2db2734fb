"""The agent graph on LangGraph, with checkpoints on SQLite.

A checkpoint holds plain data only: the serializer refuses every type that is not MessagePack's own, so nothing that a
file contains can make the process run code.
"""

from __future__ import annotations

from collections.abc import Collection, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import aiosqlite
import langsmith
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime

from orchestrator.domain.agent_state import AgentState, initial_state
from orchestrator.domain.graph_routes import after_model, after_validate
from orchestrator.ports.agent_steps import AgentSteps
from shared.errors import UpstreamDown


@dataclass(frozen=True, slots=True)
class _Work:
    """What the nodes of one call do; handed to each node beside the state, and not kept in a checkpoint."""

    steps: AgentSteps


Graph = CompiledStateGraph[AgentState, _Work, AgentState, AgentState]


async def _prepare(state: AgentState, runtime: Runtime[_Work]) -> AgentState:
    return await runtime.context.steps.prepare(state)


async def _model(state: AgentState, runtime: Runtime[_Work]) -> AgentState:
    return await runtime.context.steps.model(state)


async def _tools(state: AgentState, runtime: Runtime[_Work]) -> AgentState:
    return await runtime.context.steps.tools(state)


async def _validate(state: AgentState, runtime: Runtime[_Work]) -> AgentState:
    return await runtime.context.steps.validate(state)


async def _respond(state: AgentState, runtime: Runtime[_Work]) -> AgentState:
    return await runtime.context.steps.respond(state)


class LangGraphAgentGraph:
    """`AgentGraph` compiled once; the thread of a run has the run's id.

    Args:
        path: the SQLite file of the checkpoints; its folder exists.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: aiosqlite.Connection | None = None
        self._saver: AsyncSqliteSaver | None = None
        self._graph: Graph | None = None

    async def open(self) -> None:
        """Open the checkpoints and compile the graph.

        Raises:
            UpstreamDown: STORAGE_UNAVAILABLE when the file cannot be used.
        """
        # The library would report runs to a server on the internet if the environment told it to.
        langsmith.configure(enabled=False)
        with _translated():
            self._connection = await aiosqlite.connect(self._path)
            saver = AsyncSqliteSaver(self._connection, serde=JsonPlusSerializer(allowed_msgpack_modules=None))
            await saver.setup()
            # Survives a killed process; a power cut may lose the newest checkpoints, whose steps are done again.
            await self._connection.execute("PRAGMA synchronous=NORMAL")
        self._saver = saver
        self._graph = _compiled(saver)

    async def close(self) -> None:
        """Close the checkpoints."""
        if self._connection is not None:
            await self._connection.close()
        self._connection = self._saver = self._graph = None

    async def drive(self, run_id: str, steps: AgentSteps, *, most_nodes: int, resume: bool) -> AgentState:
        """See `AgentGraph.drive`."""
        # The library's annotations do not say that a graph goes on from its checkpoint with None.
        graph: Any = self._opened()[0]
        config = _thread(run_id)
        config["recursion_limit"] = most_nodes
        begin: AgentState | None = initial_state()
        if resume and await self.state_of(run_id) is not None:
            begin = None
        with _translated():
            state: Any = await graph.ainvoke(begin, config, context=_Work(steps), durability="sync")
        return cast("AgentState", state)

    async def state_of(self, run_id: str) -> AgentState | None:
        """See `AgentGraph.state_of`."""
        graph, _ = self._opened()
        with _translated():
            snapshot = await graph.aget_state(_thread(run_id))
        return cast("AgentState", snapshot.values) if snapshot.values else None

    async def forget(self, run_ids: Collection[str]) -> None:
        """See `AgentGraph.forget`."""
        _, saver = self._opened()
        with _translated():
            for run_id in run_ids:
                await saver.adelete_thread(run_id)

    async def forget_all_but(self, run_ids: Collection[str]) -> None:
        """See `AgentGraph.forget_all_but`."""
        _, saver = self._opened()
        with _translated():
            async with saver.conn.execute("SELECT DISTINCT thread_id FROM checkpoints") as found:
                known = [str(row[0]) async for row in found]
        await self.forget([thread for thread in known if thread not in run_ids])

    def _opened(self) -> tuple[Graph, AsyncSqliteSaver]:
        if self._graph is None or self._saver is None:
            raise UpstreamDown("STORAGE_CLOSED", "The checkpoints are not open.")
        return self._graph, self._saver


@contextmanager
def _translated() -> Generator[None]:
    """Turn the driver's errors into UpstreamDown, a full disk told apart."""
    try:
        yield
    except aiosqlite.Error as error:
        if "disk is full" in str(error):
            raise UpstreamDown("STORAGE_FULL", "The disk of the checkpoints is full. Free some space.") from error
        raise UpstreamDown("STORAGE_UNAVAILABLE", "The checkpoints cannot be used; the log says why.") from error


def _thread(run_id: str) -> RunnableConfig:
    return {"configurable": {"thread_id": run_id}}


def _compiled(saver: AsyncSqliteSaver) -> Graph:
    # The library's annotations of nodes with a runtime are incomplete.
    builder: Any = StateGraph(AgentState, context_schema=_Work)
    builder.add_node("prepare", _prepare)
    builder.add_node("model", _model)
    builder.add_node("tools", _tools)
    builder.add_node("validate", _validate)
    builder.add_node("respond", _respond)
    builder.add_edge(START, "prepare")
    builder.add_edge("prepare", "model")
    builder.add_conditional_edges("model", after_model)
    builder.add_edge("tools", "model")
    builder.add_conditional_edges("validate", after_validate)
    builder.add_edge("respond", END)
    return cast("Graph", builder.compile(checkpointer=saver))
