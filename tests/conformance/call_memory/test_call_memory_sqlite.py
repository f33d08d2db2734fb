"""The memory of effects survives restarts, and never lets an effect happen twice."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import func, select
from tools_memory_rig import Memories, Work, call, quickly

from shared.errors import AlreadyExists, Internal, NexusError, UpstreamDown
from tool_executor.adapters.tables import tool_calls
from tool_executor.domain.tool_call import ArtifactHandle, ToolResult, ToolStatus

EVERYTHING = ToolResult(
    ToolStatus.TIMEOUT,
    '{"text":"ä"}',
    "It hung.",
    "TOOL_TIMEOUT",
    truncated=True,
    duration_s=1.5,
    artifacts=(ArtifactHandle("a1", "plot.png", "image/png", 12),),
)


async def rows(durable: Memories) -> int:
    async with durable.store.database.connect() as connection:
        return (await connection.execute(select(func.count()).select_from(tool_calls))).scalar_one()


async def test_a_result_survives_a_restart_whole(durable: Memories) -> None:
    async def work() -> ToolResult:
        return EVERYTHING

    await durable.memory.once(call(1), work)
    durable.restart()
    counter: list[int] = []
    assert await durable.memory.once(call(1), quickly(counter)) == EVERYTHING
    durable.restart()
    with pytest.raises(AlreadyExists):
        await durable.memory.once(call(1, b"b"), quickly(counter))
    assert counter == []


async def test_it_is_noted_before_it_happens(durable: Memories) -> None:
    work = Work()
    running = asyncio.create_task(durable.memory.once(call(1), work))
    await work.started.wait()
    assert await rows(durable) == 1
    work.release.set()
    await running


async def test_after_a_crash_nobody_knows_and_nothing_happens_again(durable: Memories) -> None:
    work = Work()
    running = asyncio.create_task(durable.memory.once(call(1), work))
    await work.started.wait()
    before = durable.inner
    durable.restart()
    counter: list[int] = []
    for _ in range(2):
        told = await durable.memory.once(call(1), quickly(counter))
        assert (told.status, told.error_reason) == (ToolStatus.ERROR, "EFFECT_UNKNOWN")
        assert "'pay'" in told.summary
    assert counter == []
    await before.stop()
    with pytest.raises(asyncio.CancelledError):
        await running


@pytest.mark.parametrize("error", [asyncio.CancelledError(), RuntimeError("a defect")], ids=["cancelled", "defect"])
async def test_what_was_cut_off_is_not_done_again(durable: Memories, error: BaseException) -> None:
    async def cut_off() -> ToolResult:
        raise error

    with pytest.raises(type(error)):
        await durable.memory.once(call(1), cut_off)
    counter: list[int] = []
    assert (await durable.memory.once(call(1), quickly(counter))).error_reason == "EFFECT_UNKNOWN"
    assert counter == []


async def test_a_caller_who_leaves_before_it_began_leaves_nothing(durable: Memories) -> None:
    counter: list[int] = []
    running = asyncio.create_task(durable.memory.once(call(1), quickly(counter)))
    for _ in range(2):
        # The note is on its way.
        await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert counter == []
    await durable.memory.once(call(1), quickly(counter))
    assert counter == [1]


async def test_what_cannot_be_noted_does_not_happen(durable: Memories) -> None:
    await durable.store.writer.stop()
    counter: list[int] = []
    with pytest.raises(UpstreamDown):
        await durable.memory.once(call(1), quickly(counter))
    assert counter == []


async def test_what_happened_is_told_even_when_it_cannot_be_recorded(durable: Memories) -> None:
    async def work() -> ToolResult:
        await durable.store.writer.stop()
        return EVERYTHING

    assert await durable.memory.once(call(1), work) == EVERYTHING
    await durable.store.writer.start()
    durable.restart()
    assert (await durable.memory.once(call(1), quickly([]))).error_reason == "EFFECT_UNKNOWN"


async def test_a_refusal_leaves_no_row(durable: Memories) -> None:
    async def refuse() -> ToolResult:
        raise Internal("X", "x")

    with pytest.raises(NexusError):
        await durable.memory.once(call(1), refuse)
    assert await rows(durable) == 0


async def test_old_rows_and_too_many_go(durable: Memories) -> None:
    for number in range(5):
        await durable.memory.once(call(number), quickly([]))
        durable.clock.advance(1_000)
    await durable.memory.prune()
    assert await rows(durable) == 3
    durable.memory._most_rows = 2
    await durable.memory.prune()
    assert await rows(durable) == 2
    durable.restart()
    counter: list[int] = []
    await durable.memory.once(call(4), quickly(counter))
    assert counter == []
