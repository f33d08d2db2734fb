"""Memories of calls to test, and work whose end the test decides."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from tools_store import ToolStore

from shared.testing.fakes import FakeClock
from tool_executor.adapters.call_memory_in_process import InProcessCallMemory
from tool_executor.adapters.call_memory_sqlite import SqliteCallMemory
from tool_executor.domain.tool_call import ToolResult, ToolStatus
from tool_executor.ports.call_memory import CallMemory, KeyedCall


def result(text: str = "") -> ToolResult:
    return ToolResult(ToolStatus.OK, text, "", "", truncated=False, duration_s=0.0)


def call(number: int, fingerprint: bytes = b"a", org_id: str = "org-a") -> KeyedCall:
    return KeyedCall(org_id, f"r{number}", "pay", fingerprint)


class Work:
    """Work that waits until it is released."""

    def __init__(self, text: str = "") -> None:
        self.release = asyncio.Event()
        self.started = asyncio.Event()
        self.times = 0
        self.cancelled = False
        self._text = text

    async def __call__(self) -> ToolResult:
        self.times += 1
        self.started.set()
        try:
            await self.release.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        return result(self._text)


def quickly(counter: list[int], text: str = "") -> Callable[[], Awaitable[ToolResult]]:
    async def work() -> ToolResult:
        counter.append(1)
        return result(text)

    return work


def in_process(clock: FakeClock, *, entries: int = 10, chars: int = 10_000) -> InProcessCallMemory:
    return InProcessCallMemory(clock, ttl_s=600, max_entries=entries, max_chars=chars)


@dataclass
class Memories:
    """A memory on a database, and how it is after a restart."""

    store: ToolStore
    clock: FakeClock = field(default_factory=FakeClock)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Forget what the process knew."""
        self.inner = in_process(self.clock)
        self.memory = SqliteCallMemory(self.inner, self.store.writer, self.clock, kept_s=3_600, most_rows=1_000)


@dataclass
class Remembering:
    """The memory under test, and what ends the work that runs."""

    memory: CallMemory
    stop: Callable[[], Awaitable[None]]
