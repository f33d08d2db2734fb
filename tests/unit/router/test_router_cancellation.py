"""Whoever leaves takes nothing along: upstream ends at once, every place and reservation is given back."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import replace

import pytest
from router_answer_rig import Rig
from router_fakes import QUESTION, FakeChatModel

from provider_router.domain.calls.events import Started, TextDelta
from provider_router.domain.calls.usage import TokenUsage


async def test_closing_the_stream_closes_the_model_and_charges_what_came() -> None:
    model = FakeChatModel([TextDelta("one two three"), ...])
    rig = Rig({"one/m": model})
    async with aclosing(rig.stream()) as events:
        assert isinstance(await anext(events), Started)
        assert isinstance(await anext(events), TextDelta)
        assert model.open_streams == 1
    assert model.open_streams == 0
    assert rig.outcomes() == [("one/m", "aborted", "")]
    assert (rig.rows[0].closing.usage, rig.rows[0].closing.estimated) == (TokenUsage(1, 3), True)
    assert rig.cost_micro_usd() == 1 + 2 * 3
    assert rig.nothing_is_held()


async def test_what_came_is_not_estimated_at_more_than_was_reserved() -> None:
    rig = Rig({"one/m": FakeChatModel([TextDelta("one two three"), ...])})
    async with aclosing(rig.stream(replace(QUESTION, max_output_tokens=2))) as events:
        await anext(events)
        await anext(events)
    assert rig.rows[0].closing.usage == TokenUsage(1, 2)
    assert rig.cost_micro_usd() == rig.rows[0].opening.reserved_micro_usd == 1 + 2 * 2


async def test_what_the_routers_end_cuts_short_is_written_down_as_that() -> None:
    rig = Rig({"one/m": FakeChatModel([TextDelta("one"), ...])})
    rig.ends.is_stopping = True
    async with aclosing(rig.stream()) as events:
        await anext(events)
    # Before its first piece, with another one that might run beside it.
    silent = Rig({"one/m": FakeChatModel([...]), "two/m": FakeChatModel()}, hedge_after_ms=60_000)
    silent.ends.is_stopping = True
    task = asyncio.create_task(silent.events())
    await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.wait({task})
    await silent.ends.tied(1)
    for each in (rig, silent):
        assert each.outcomes() == [("one/m", "aborted", "SHUTTING_DOWN")]
        assert each.deployments.reports[0][1].finished is False
        assert each.nothing_is_held()


async def test_cancelling_before_the_first_piece_charges_the_prompt() -> None:
    model = FakeChatModel([...])
    rig = Rig({"one/m": model})
    task = asyncio.create_task(rig.events())
    while not model.open_streams:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert model.open_streams == 0
    assert rig.outcomes() == [("one/m", "aborted", "")]
    assert rig.rows[0].closing.usage == TokenUsage(1, 0)
    assert rig.deployments.reports[0][1].finished is False
    assert rig.nothing_is_held()


async def test_cancelling_while_the_ledger_opens_calls_nobody_and_holds_nothing() -> None:
    model = FakeChatModel()
    rig = Rig({"one/m": model})
    opened = asyncio.Event()

    async def never(opening: object) -> None:
        opened.set()
        await asyncio.Event().wait()

    rig.ledger.open = never
    task = asyncio.create_task(rig.events())
    await opened.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert model.asked == []
    assert rig.deployments.out == []


async def test_cancelling_during_a_pause_leaves_nothing_open() -> None:
    from provider_router.domain.errors import Reason, failure

    rig = Rig({"one/m": FakeChatModel([failure(Reason.PROVIDER_ERROR, "x")])})
    sleeping = asyncio.Event()

    async def sleep(_seconds: float) -> None:
        sleeping.set()
        await asyncio.Event().wait()

    rig.sleep = sleep
    task = asyncio.create_task(rig.events())
    await sleeping.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert rig.outcomes() == [("one/m", "failed", "PROVIDER_ERROR")]
    assert rig.nothing_is_held()


@pytest.mark.parametrize("steps", range(12))
async def test_cancelling_anywhere_holds_nothing(steps: int) -> None:
    rig = Rig({"one/m": FakeChatModel([TextDelta("a"), TextDelta("b"), ...])})
    slow_close = rig.ledger.close

    async def close(closing: object) -> None:
        await asyncio.shield(asyncio.ensure_future(slow_close(closing)))

    rig.ledger.close = close
    task = asyncio.create_task(rig.events())
    for _ in range(steps):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.sleep(0.001)
    assert rig.nothing_is_held()
