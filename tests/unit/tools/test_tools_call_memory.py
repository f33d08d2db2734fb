"""A repeated call happens once; memory is bounded; nothing is left running."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from shared.errors import AlreadyExists, QuotaExceeded
from shared.testing.fakes import FakeClock
from tool_executor.adapters.call_memory_in_process import InProcessCallMemory
from tool_executor.domain.tool_call import ToolResult, ToolStatus
from tool_executor.ports.call_memory import CallKey


def result(text: str = "") -> ToolResult:
    return ToolResult(ToolStatus.OK, text, "", "", truncated=False, duration_s=0.0)


def key(number: int) -> CallKey:
    return CallKey("org-a", f"r{number}")


class Work:
    """Work that waits until it is released."""

    def __init__(self, text: str = "") -> None:
        self.release = asyncio.Event()
        self.started = 0
        self.cancelled = False
        self._text = text

    async def __call__(self) -> ToolResult:
        self.started += 1
        try:
            await self.release.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        return result(self._text)


def memory(clock: FakeClock | None = None, *, entries: int = 10, chars: int = 10_000) -> InProcessCallMemory:
    return InProcessCallMemory(clock or FakeClock(), ttl_s=600, max_entries=entries, max_chars=chars)


def quickly(counter: list[int], text: str = "") -> Callable[[], Awaitable[ToolResult]]:
    async def work() -> ToolResult:
        counter.append(1)
        return result(text)

    return work


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_calls_at_once_share_one_run() -> None:
    kept, work = memory(), Work("x")
    calls = [asyncio.create_task(kept.once(key(1), b"a", work)) for _ in range(3)]
    await settle()
    with pytest.raises(AlreadyExists):
        await kept.once(key(1), b"b", work)
    work.release.set()
    first, *others = await asyncio.gather(*calls)
    assert all(other is first for other in others)
    assert work.started == 1


async def test_one_who_leaves_does_not_stop_the_others() -> None:
    kept, work = memory(), Work("x")
    first, second = (asyncio.create_task(kept.once(key(1), b"a", work)) for _ in range(2))
    await settle()
    first.cancel()
    await settle()
    work.release.set()
    assert (await second).output_json == "x"
    assert not work.cancelled


async def test_the_last_one_who_leaves_stops_the_work() -> None:
    kept, work = memory(), Work("x")
    call = asyncio.create_task(kept.once(key(1), b"a", work))
    await settle()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert work.cancelled
    counter: list[int] = []
    await kept.once(key(1), b"b", quickly(counter))
    assert counter == [1]


async def test_a_refused_call_is_not_remembered() -> None:
    kept = memory()

    async def refuse() -> ToolResult:
        raise QuotaExceeded("TOOL_BUSY", "Busy.")

    with pytest.raises(QuotaExceeded):
        await kept.once(key(1), b"a", refuse)
    counter: list[int] = []
    await kept.once(key(1), b"a", quickly(counter))
    assert counter == [1]


async def test_results_are_forgotten_in_time() -> None:
    clock = FakeClock()
    kept, counter = memory(clock), list[int]()
    await kept.once(key(1), b"a", quickly(counter))
    clock.advance(599)
    await kept.once(key(1), b"a", quickly(counter))
    assert len(counter) == 1
    clock.advance(2)
    await kept.once(key(1), b"b", quickly(counter))
    assert len(counter) == 2


@pytest.mark.parametrize(("entries", "chars", "size"), [(3, 1_000_000, 10), (100, 9_000, 2_000)])
async def test_the_oldest_go_first(entries: int, chars: int, size: int) -> None:
    kept, counter = memory(entries=entries, chars=chars), list[int]()
    for number in range(6):
        await kept.once(key(number), b"a", quickly(counter, "x" * size))
    await kept.once(key(5), b"a", quickly(counter))
    await kept.once(key(3), b"a", quickly(counter))
    assert len(counter) == 6
    await kept.once(key(0), b"a", quickly(counter))
    assert len(counter) == 7


async def test_stop_ends_what_runs() -> None:
    kept, work = memory(), Work()
    call = asyncio.create_task(kept.once(key(1), b"a", work))
    await settle()
    await kept.stop()
    assert work.cancelled
    with pytest.raises(asyncio.CancelledError):
        await call
