"""Remembers calls with effects in the table `tool_calls`, so that not even a restart makes an effect happen twice."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.clock import Clock
from shared.errors import NexusError
from shared.storage import GroupCommit
from shared.telemetry.logging import get_logger
from tool_executor.adapters.call_memory_in_process import reused
from tool_executor.domain.tool_call import ArtifactHandle, ToolResult, ToolStatus, effect_unknown
from tool_executor.ports.call_memory import CallMemory, KeyedCall, Work

_log = get_logger(__name__)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_FIND = "SELECT fingerprint, result_json FROM tool_calls WHERE org_id = ? AND request_id = ?"
_BEGIN = "INSERT INTO tool_calls (org_id, request_id, fingerprint, tool, started_at_us) VALUES (?, ?, ?, ?, ?)"
_END = "UPDATE tool_calls SET result_json = ?, ended_at_us = ? WHERE org_id = ? AND request_id = ?"
_FORGET = "DELETE FROM tool_calls WHERE org_id = ? AND request_id = ? AND result_json IS NULL"
_PRUNE = (
    "DELETE FROM tool_calls WHERE rowid IN (SELECT rowid FROM tool_calls"
    " WHERE started_at_us < ? ORDER BY started_at_us LIMIT ?)"
)
_NEWEST = "SELECT started_at_us FROM tool_calls ORDER BY started_at_us DESC LIMIT 1 OFFSET ?"
_PRUNED_AT_ONCE = 500
_PAUSE_S = 600.0


class SqliteCallMemory:
    """Implements `CallMemory` for effects: a row before the call, its result after it.

    A row without a result that nobody works on is of a call that was cut off. Nobody knows whether it had its effect,
    and that is what its repetition is told; it is never done again.

    Args:
        inner: has repetitions wait while the call runs in this process, and keeps what was asked for lately.
        writer: of the file; one that syncs each commit, if a power cut is to be survived too.
        clock: tells when a call began and ended.
        kept_s: seconds for which a call is remembered.
        most_rows: calls that are remembered.
    """

    def __init__(self, inner: CallMemory, writer: GroupCommit, clock: Clock, *, kept_s: float, most_rows: int) -> None:
        self._kept_s = kept_s
        self._most_rows = most_rows
        self._inner = inner
        self._writer = writer
        self._clock = clock

    async def once(self, call: KeyedCall, work: Work) -> ToolResult:
        """Return the result of the first call under the key.

        Raises:
            AlreadyExists: with reason REQUEST_ID_REUSED.
            UpstreamDown: when the call cannot be noted; it does not happen then.
            NexusError: what `work` raises.
        """

        async def recorded() -> ToolResult:
            known = await self._begin(call)
            if known is not None:
                return known
            try:
                result = await work()
            except NexusError:
                # It was refused, so nothing has happened.
                await self._writer.run(lambda connection: _forget(connection, call))
                raise
            await self._end(call, result)
            return result

        return await self._inner.once(call, recorded)

    async def prune(self) -> None:
        """Delete the calls that are too old, and the oldest of too many.

        Raises:
            UpstreamDown: when the store is away.
        """

        def oldest_kept(connection: sqlite3.Connection) -> int:
            row = connection.execute(_NEWEST, (self._most_rows - 1,)).fetchone()
            return max(self._now_us() - int(self._kept_s * 1_000_000), row[0] if row else 0)

        before = await self._writer.run(oldest_kept)
        # A few at a time: all other writes wait meanwhile.
        while await self._writer.run(lambda c: c.execute(_PRUNE, (before, _PRUNED_AT_ONCE)).rowcount):
            pass

    async def keep_bounded(self) -> None:
        """Prune again and again, until cancelled. Raises as `prune`."""
        while True:
            await self.prune()
            await asyncio.sleep(_PAUSE_S)

    async def _begin(self, call: KeyedCall) -> ToolResult | None:
        """Return what is known of the call; None when it is new and was noted now."""
        started_us = self._now_us()

        def begin(connection: sqlite3.Connection) -> ToolResult | None:
            row = connection.execute(_FIND, (call.org_id, call.request_id)).fetchone()
            if row is None:
                key = (call.org_id, call.request_id, call.fingerprint, call.tool, started_us)
                connection.execute(_BEGIN, key)
                return None
            if row[0] != call.fingerprint:
                raise reused(call)
            return effect_unknown(call.tool) if row[1] is None else _result(json.loads(row[1]))

        begun = self._writer.run(begin)
        try:
            return await asyncio.shield(begun)
        except asyncio.CancelledError:
            # The caller left before the call ran: if it was noted, nothing came of it.
            with suppress(NexusError):
                if await begun is None:
                    await self._writer.run(lambda connection: _forget(connection, call))
            raise

    async def _end(self, call: KeyedCall, result: ToolResult) -> None:
        text = json.dumps({**asdict(result), "status": result.status.value}, ensure_ascii=False)
        row = (text, self._now_us(), call.org_id, call.request_id)
        try:
            await self._writer.run(lambda connection: connection.execute(_END, row).rowcount)
        except NexusError as error:
            # It has happened: the caller gets the result, and a repetition after a restart hears that nobody knows.
            _log.error("tool_call_not_recorded", tool=call.tool, request_id=call.request_id, reason=error.reason)

    def _now_us(self) -> int:
        return (self._clock.now() - _EPOCH) // _MICROSECOND


def _forget(connection: sqlite3.Connection, call: KeyedCall) -> None:
    connection.execute(_FORGET, (call.org_id, call.request_id))


def _result(stored: Mapping[str, Any]) -> ToolResult:
    return ToolResult(
        ToolStatus(stored["status"]),
        stored["output_json"],
        stored["summary"],
        stored["error_reason"],
        truncated=stored["truncated"],
        duration_s=stored["duration_s"],
        artifacts=tuple(ArtifactHandle(**artifact) for artifact in stored["artifacts"]),
    )
