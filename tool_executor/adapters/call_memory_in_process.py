"""Remembers calls in this process: bounded in time, number and size, gone with a restart."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, cast

from shared.clock import Clock
from shared.errors import AlreadyExists
from tool_executor.domain.tool_call import ToolResult
from tool_executor.ports.call_memory import KeyedCall, Work

_Key = tuple[str, str]
_CHARS_OF_ENTRY = 512


@dataclass(slots=True)
class _Running:
    fingerprint: bytes
    task: asyncio.Task[ToolResult]
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class _Done:
    fingerprint: bytes
    result: ToolResult
    until: float
    chars: int


class InProcessCallMemory:
    """Keeps results for a while, the newest first to stay.

    Args:
        clock: tells when an entry is old.
        ttl_s: seconds that a result is kept.
        max_entries: most results kept.
        max_chars: most characters of all results together.
    """

    def __init__(self, clock: Clock, *, ttl_s: float, max_entries: int, max_chars: int) -> None:
        self._clock = clock
        self._ttl_s = ttl_s
        self._max_entries = max_entries
        self._max_chars = max_chars
        self._running: dict[_Key, _Running] = {}
        self._done: OrderedDict[_Key, _Done] = OrderedDict()
        self._chars = 0

    async def once(self, call: KeyedCall, work: Work) -> ToolResult:
        """Return the result of the first call under the key.

        Raises:
            AlreadyExists: with reason REQUEST_ID_REUSED.
            NexusError: what `work` raises.
        """
        self._forget_old()
        key = (call.org_id, call.request_id)
        done = self._done.get(key)
        if done is not None:
            _require_same(call, done.fingerprint)
            return done.result
        running = self._running.get(key)
        if running is None:
            # The task inherits the caller's principal and trace from its context.
            task = asyncio.create_task(cast("Coroutine[Any, Any, ToolResult]", work()), name="tool-call")
            running = self._running[key] = _Running(call.fingerprint, task)
        _require_same(call, running.fingerprint)
        return await self._wait(key, running)

    async def stop(self) -> None:
        """Stop the calls that run, and wait for them."""
        tasks = [running.task for running in self._running.values()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _wait(self, key: _Key, running: _Running) -> ToolResult:
        running.waiting += 1
        try:
            await asyncio.wait({running.task})
        finally:
            running.waiting -= 1
            if not running.waiting:
                await self._settle(key, running)
        return running.task.result()

    async def _settle(self, key: _Key, running: _Running) -> None:
        """End the call that nobody waits for any more, and keep its result when it has one."""
        if self._running.get(key) is running:
            del self._running[key]
        if not running.task.done():
            running.task.cancel()
            await asyncio.wait({running.task})
        if not running.task.cancelled() and running.task.exception() is None:
            self._keep(key, running.fingerprint, running.task.result())

    def _keep(self, key: _Key, fingerprint: bytes, result: ToolResult) -> None:
        chars = len(result.output_json) + len(result.summary) + _CHARS_OF_ENTRY
        self._done[key] = _Done(fingerprint, result, self._clock.monotonic() + self._ttl_s, chars)
        self._chars += chars
        while len(self._done) > self._max_entries or self._chars > self._max_chars:
            self._drop_oldest()

    def _forget_old(self) -> None:
        now = self._clock.monotonic()
        while self._done and next(iter(self._done.values())).until <= now:
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        _, oldest = self._done.popitem(last=False)
        self._chars -= oldest.chars


def reused(call: KeyedCall) -> AlreadyExists:
    """Return the error of a key that was used for another call."""
    return AlreadyExists(
        "REQUEST_ID_REUSED",
        f"The request id {call.request_id!r} was used for another call. Use a new one for each call.",
        metadata={"request_id": call.request_id},
    )


def _require_same(call: KeyedCall, first: bytes) -> None:
    if call.fingerprint != first:
        raise reused(call)
