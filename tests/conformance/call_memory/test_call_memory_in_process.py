"""The memory of one process is bounded, and forgets."""

from __future__ import annotations

import asyncio

import pytest
from tools_memory_rig import Work, call, in_process, quickly

from shared.testing.fakes import FakeClock


async def test_results_are_forgotten_in_time() -> None:
    clock = FakeClock()
    kept, counter = in_process(clock), list[int]()
    await kept.once(call(1), quickly(counter))
    clock.advance(599)
    await kept.once(call(1), quickly(counter))
    assert len(counter) == 1
    clock.advance(2)
    await kept.once(call(1, b"b"), quickly(counter))
    assert len(counter) == 2


@pytest.mark.parametrize(("entries", "chars", "size"), [(3, 1_000_000, 10), (100, 9_000, 2_000)])
async def test_the_oldest_go_first(entries: int, chars: int, size: int) -> None:
    kept, counter = in_process(FakeClock(), entries=entries, chars=chars), list[int]()
    for number in range(6):
        await kept.once(call(number), quickly(counter, "x" * size))
    await kept.once(call(5), quickly(counter))
    await kept.once(call(3), quickly(counter))
    assert len(counter) == 6
    await kept.once(call(0), quickly(counter))
    assert len(counter) == 7


async def test_a_call_that_was_cut_off_may_be_made_again() -> None:
    kept, work, counter = in_process(FakeClock()), Work(), list[int]()
    running = asyncio.create_task(kept.once(call(1), work))
    await work.started.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await kept.once(call(1, b"b"), quickly(counter))
    assert counter == [1]
