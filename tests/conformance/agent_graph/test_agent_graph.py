"""What every agent graph does: the fake of the unit tests, and LangGraph on SQLite."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import AsyncGenerator

import aiosqlite
import pytest
from orchestrator_fakes import FakeGraph

from orchestrator.adapters.agent_graph_langgraph import LangGraphAgentGraph
from orchestrator.domain.agent_state import AgentState, CallData, ResultData, TurnData
from orchestrator.ports.agent_graph import AgentGraph
from shared.errors import UpstreamDown

CALL = CallData(id="c", tool="t", arguments="{}")
RESULT = ResultData(id="c", tool="t", ok=True, output="{}", summary="ok")


class Steps:
    """Asks for one tool call, then answers; fails or hangs once in the node `weak`."""

    def __init__(self, weak: str = "", error: BaseException | None = None) -> None:
        self.nodes: list[str] = []
        self.weak = weak
        self.error = error

    async def _enter(self, node: str) -> None:
        self.nodes.append(node)
        if node == self.weak:
            self.weak = ""
            if self.error:
                raise self.error
            await asyncio.Event().wait()

    async def prepare(self, state: AgentState) -> AgentState:
        await self._enter("prepare")
        return AgentState(model="p/m")

    async def model(self, state: AgentState) -> AgentState:
        await self._enter("model")
        turns = state["turns"]
        last = TurnData(text="done", calls=[], results=[]) if turns else TurnData(text="", calls=[CALL], results=[])
        return AgentState(turns=[*turns, last], steps=state["steps"] + 1)

    async def tools(self, state: AgentState) -> AgentState:
        await self._enter("tools")
        turns = state["turns"]
        return AgentState(turns=[*turns[:-1], {**turns[-1], "results": [RESULT]}])

    async def validate(self, state: AgentState) -> AgentState:
        await self._enter("validate")
        return AgentState()

    async def respond(self, state: AgentState) -> AgentState:
        await self._enter("respond")
        return AgentState(answer=state["model"])


WHOLE = ["prepare", "model", "tools", "model", "validate", "respond"]


@pytest.fixture(params=["fake", "langgraph"])
async def graph(request, tmp_path) -> AsyncGenerator[AgentGraph, None]:
    if request.param == "fake":
        yield FakeGraph()
        return
    graph = LangGraphAgentGraph(tmp_path / "c.sqlite")
    await graph.open()
    yield graph
    await graph.close()


async def drive(graph: AgentGraph, steps: Steps, *, resume: bool = False, run_id: str = "r") -> AgentState:
    return await graph.drive(run_id, steps, most_nodes=20, resume=resume)


async def test_the_nodes_run_in_their_order_and_the_state_grows(graph) -> None:
    steps = Steps()
    state = await drive(graph, steps)
    assert steps.nodes == WHOLE
    assert (state["answer"], state["steps"]) == ("p/m", 2)
    assert state["turns"][0]["results"] == [RESULT]
    assert await graph.state_of("r") == state


@pytest.mark.parametrize("weak", WHOLE[:3] + WHOLE[4:])
async def test_an_error_comes_out_unchanged_and_the_work_goes_on_behind_the_last_checkpoint(graph, weak) -> None:
    error = UpstreamDown("PROVIDER_ERROR", "Down.")
    steps = Steps(weak, error)
    with pytest.raises(UpstreamDown) as raised:
        await drive(graph, steps)
    assert raised.value is error
    failed_at = len(steps.nodes) - 1
    state = await drive(graph, steps, resume=True)
    assert steps.nodes == [*WHOLE[: failed_at + 1], *WHOLE[failed_at:]]
    assert state["answer"] == "p/m"


async def test_a_cancelled_node_is_done_again_and_the_others_are_not(graph) -> None:
    steps = Steps("tools")
    task = asyncio.create_task(drive(graph, steps))
    while "tools" not in steps.nodes:
        await asyncio.sleep(0.001)
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()
    await drive(graph, steps, resume=True)
    assert steps.nodes == ["prepare", "model", "tools", "tools", "model", "validate", "respond"]


async def test_a_finished_graph_is_not_driven_again(graph) -> None:
    first = await drive(graph, Steps())
    steps = Steps()
    assert await drive(graph, steps, resume=True) == first
    assert steps.nodes == []


async def test_resuming_without_a_checkpoint_starts_anew(graph) -> None:
    steps = Steps()
    assert (await drive(graph, steps, resume=True))["answer"] == "p/m"
    assert steps.nodes == WHOLE


async def test_runs_do_not_mix(graph) -> None:
    await asyncio.gather(*(drive(graph, Steps(), run_id=f"r{n}") for n in range(5)))
    await graph.forget(["r1", "r9"])
    assert await graph.state_of("r1") is None
    await graph.forget_all_but(["r3"])
    assert [n for n in range(5) if await graph.state_of(f"r{n}")] == [3]


async def test_a_checkpoint_cannot_make_the_process_run_code(tmp_path) -> None:
    graph = LangGraphAgentGraph(tmp_path / "c.sqlite")
    await graph.open()
    await drive(graph, Steps())
    async with aiosqlite.connect(tmp_path / "c.sqlite") as connection:
        kinds = [row[0] for row in await connection.execute_fetchall("SELECT DISTINCT type FROM checkpoints")]
        assert kinds == ["msgpack"]
        evil = pickle.dumps({"channel_values": {"answer": "evil"}})
        await connection.execute("UPDATE checkpoints SET type = 'pickle', checkpoint = ?", (evil,))
        await connection.commit()
    with pytest.raises(NotImplementedError):
        await graph.state_of("r")
    await graph.close()
    with pytest.raises(UpstreamDown, match="STORAGE_CLOSED"):
        await graph.state_of("r")


async def test_a_file_that_is_no_database_is_refused(tmp_path) -> None:
    (tmp_path / "c.sqlite").write_bytes(b"not a database" * 100)
    graph = LangGraphAgentGraph(tmp_path / "c.sqlite")
    with pytest.raises(UpstreamDown, match="STORAGE_UNAVAILABLE"):
        await graph.open()
    await graph.close()


async def test_a_full_disk_is_told_apart_and_the_run_goes_on_once_there_is_room(tmp_path) -> None:
    graph = LangGraphAgentGraph(tmp_path / "c.sqlite")
    await graph.open()
    connection = graph._connection
    assert connection
    await connection.execute("PRAGMA max_page_count = 1")
    try:
        with pytest.raises(UpstreamDown, match="STORAGE_FULL"):
            await graph.drive("run-1", Steps(), most_nodes=32, resume=False)
        await connection.execute("PRAGMA max_page_count = 100000")
        state = await graph.drive("run-1", Steps(), most_nodes=32, resume=True)
        assert state["answer"] == "p/m"
    finally:
        await graph.close()
