"""What stands in the checkpoint file is data: nothing in it is unpickled, imported or called."""

from __future__ import annotations

import pickle
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Any

import ormsgpack
import pytest
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from orchestrator.adapters.agent_graph_langgraph import LangGraphAgentGraph
from orchestrator.domain.agent_state import initial_state


class Bomb:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def constructing(path: Path) -> bytes:
    """A value of the library's own that makes a folder where any type may be constructed."""
    return ormsgpack.packb(ormsgpack.Ext(0, ormsgpack.packb(("os", "mkdir", str(path)))))


def test_the_payload_is_a_live_one(tmp_path: Path) -> None:
    """Else the test below could not fail."""
    JsonPlusSerializer(allowed_msgpack_modules=True).loads_typed(("msgpack", constructing(tmp_path / "made")))
    assert (tmp_path / "made").exists()
    pickle.loads(pickle.dumps(Bomb(tmp_path / "made too")))  # noqa: S301
    assert (tmp_path / "made too").exists()


@pytest.mark.parametrize("column", ["checkpoint", "value"])
@pytest.mark.parametrize("kind", ["pickle", "msgpack", "json"])
async def test_a_hostile_checkpoint_runs_nothing(tmp_path: Path, kind: str, column: str) -> None:
    target, file = tmp_path / "pwned", tmp_path / "checkpoints.sqlite"
    payload = {
        "pickle": pickle.dumps(Bomb(target)),
        "msgpack": constructing(target),
        "json": b'{"lc":2,"type":"constructor","id":["os","mkdir"],"args":["%s"]}' % str(target).encode(),
    }[kind]
    graph = LangGraphAgentGraph(file)
    await graph.open()
    config = {"configurable": {"thread_id": "run-1", "checkpoint_ns": ""}}
    await graph._graph.aupdate_state(config, initial_state())
    await graph.close()
    with sqlite3.connect(file) as database:
        if column == "checkpoint":
            database.execute("UPDATE checkpoints SET type = ?, checkpoint = ?", (kind, payload))
        else:
            (checkpoint_id,) = database.execute("SELECT checkpoint_id FROM checkpoints").fetchone()
            database.execute(
                "INSERT INTO writes (thread_id, checkpoint_ns, checkpoint_id, task_id, idx, channel, type, value)"
                " VALUES ('run-1', '', ?, 'task', 0, 'step', ?, ?)",
                (checkpoint_id, kind, payload),
            )
    database.close()
    await graph.open()
    # However it is refused, nothing may have run.
    with suppress(Exception):
        await graph.state_of("run-1")
    await graph.close()
    assert not target.exists()
