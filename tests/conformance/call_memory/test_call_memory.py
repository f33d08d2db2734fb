"""One suite for both memories: a repeated call happens once, and nothing is left running."""

from __future__ import annotations

import asyncio

import pytest
from tools_memory_rig import Remembering, Work, call, quickly

from shared.errors import AlreadyExists, QuotaExceeded
from tool_executor.domain.tool_call import ToolResult


async def test_a_repeated_call_gets_the_first_result(remembering: Remembering) -> None:
    counter: list[int] = []
    first = await remembering.memory.once(call(1), quickly(counter, "x"))
    assert await remembering.memory.once(call(1), quickly(counter, "y")) == first
    assert first.output_json == "x"
    await remembering.memory.once(call(1, org_id="org-b"), quickly(counter))
    assert len(counter) == 2


async def test_another_call_under_the_same_key_is_refused(remembering: Remembering) -> None:
    counter: list[int] = []
    await remembering.memory.once(call(1), quickly(counter))
    with pytest.raises(AlreadyExists) as caught:
        await remembering.memory.once(call(1, b"b"), quickly(counter))
    assert caught.value.reason == "REQUEST_ID_REUSED"
    assert len(counter) == 1


async def test_calls_at_once_share_one_run(remembering: Remembering) -> None:
    work = Work("x")
    calls = [asyncio.create_task(remembering.memory.once(call(1), work)) for _ in range(3)]
    await work.started.wait()
    with pytest.raises(AlreadyExists):
        await remembering.memory.once(call(1, b"b"), work)
    work.release.set()
    first, *others = await asyncio.gather(*calls)
    assert all(other is first for other in others)
    assert work.times == 1


async def test_one_who_leaves_does_not_stop_the_others(remembering: Remembering) -> None:
    work = Work("x")
    first, second = (asyncio.create_task(remembering.memory.once(call(1), work)) for _ in range(2))
    await work.started.wait()
    first.cancel()
    await asyncio.sleep(0)
    work.release.set()
    assert (await second).output_json == "x"
    assert not work.cancelled


async def test_the_last_one_who_leaves_stops_the_work(remembering: Remembering) -> None:
    work = Work("x")
    running = asyncio.create_task(remembering.memory.once(call(1), work))
    await work.started.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert work.cancelled


async def test_a_refused_call_is_not_remembered(remembering: Remembering) -> None:
    async def refuse() -> ToolResult:
        raise QuotaExceeded("TOOL_BUSY", "Busy.")

    with pytest.raises(QuotaExceeded):
        await remembering.memory.once(call(1), refuse)
    counter: list[int] = []
    await remembering.memory.once(call(1, b"b"), quickly(counter))
    assert counter == [1]


async def test_stop_ends_what_runs(remembering: Remembering) -> None:
    work = Work()
    running = asyncio.create_task(remembering.memory.once(call(1), work))
    await work.started.wait()
    await remembering.stop()
    assert work.cancelled
    with pytest.raises(asyncio.CancelledError):
        await running
