"""The router is killed while models answer: its ledger has every attempt, and none stays open."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import Callable
from typing import Any

from test_chaos_kill_service import ask_and_forget, ended_runs

from shared.testing.running_mesh import RunningMesh


def attempts(mesh: RunningMesh) -> dict[str, dict[str, Any]]:
    done = mesh.cli("ledger", "list", "--limit", "1000", "--json")
    assert done.returncode == 0, done.stderr
    return {each["attempt_id"]: each for each in json.loads(done.stdout).get("attempts", [])}


async def until(
    mesh: RunningMesh, condition: Callable[[dict[str, dict[str, Any]]], bool], within_s: float
) -> dict[str, dict[str, Any]]:
    deadline = time.monotonic() + within_s
    while not condition(found := await asyncio.to_thread(attempts, mesh)):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.2)
    return found


async def test_a_killed_router_leaves_no_attempt_open_and_loses_none(mesh: RunningMesh, scripted_model: str) -> None:
    mesh.wait_until_ready()
    before = await asyncio.to_thread(attempts, mesh)
    restarts = mesh.process("router")["restarts"]
    async with asyncio.TaskGroup() as group:
        for _ in range(4):
            # The provider is silent for longer than the command line needs to look at the ledger.
            group.create_task(ask_and_forget(mesh, "hang before the first token", scripted_model, set()))

        def answering(found: dict[str, dict[str, Any]]) -> bool:
            return any(each["outcome"] == "open" for each in found.values())

        at_work = await until(mesh, answering, 20)
        os.kill(mesh.pids()["router"], signal.SIGKILL)
        await asyncio.to_thread(
            mesh.wait_for,
            lambda state: state["phase"] == "ready" and mesh.process("router")["restarts"] > restarts,
            45,
        )
    await ended_runs(mesh)
    await until(mesh, lambda found: all(each["outcome"] != "open" for each in found.values()), 20)
    after = await asyncio.to_thread(attempts, mesh)
    assert before.keys() <= at_work.keys() <= after.keys()
    lost = [each for each in after.values() if each["outcome"] == "lost"]
    assert lost
    assert all(each["cost_micro_usd"] == each["reserved_micro_usd"] and each["estimated"] for each in lost)
    # Runs go on in the name of the key with which they were started.
    assert all(each["key_id"] for each in lost)
    settled = {name: each for name, each in at_work.items() if each["outcome"] != "open"}
    assert {name: after[name] for name in settled} == settled
