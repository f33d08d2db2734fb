"""Quotas: days in SQLite through the group commit, minutes in memory."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Collection, Mapping
from contextlib import suppress
from datetime import datetime, timedelta

from shared.clock import Clock
from shared.errors import QuotaExceeded, UpstreamDown
from shared.storage import GroupCommit
from tool_executor.adapters.day_counts import DayCounts, DayKey
from tool_executor.domain.minute_window import MinuteWindow
from tool_executor.domain.tool_definition import ToolDefinition
from tool_executor.domain.tool_standing import QuotaUse

_MOST_WINDOWS = 10_000
_KEPT = timedelta(days=90)
_PRUNE = "DELETE FROM tool_days WHERE day < ?"
_PAUSE_S = 3_600.0


class SqliteCallQuota:
    """Implements `CallQuota`. A limit a day is one limit however many processes share the file.

    Args:
        writer: of the file.
        clock: tells the minute and the day.
    """

    def __init__(self, writer: GroupCommit, clock: Clock) -> None:
        self._writer = writer
        self._clock = clock
        self._days = writer.notebook(DayCounts)
        self._minutes: OrderedDict[tuple[str, str], MinuteWindow] = OrderedDict()

    async def take(self, org_id: str, tool: ToolDefinition, *, dry_run: bool) -> None:
        """Count one call that is about to run.

        Raises:
            QuotaExceeded: TOOL_RATE_LIMITED or TOOL_QUOTA_EXCEEDED.
            UpstreamDown: when the store is away and the tool has a limit a day.
        """
        window = self._window(org_id, tool.name)
        now = self._clock.monotonic()
        if tool.calls_per_minute and window.calls(now) >= tool.calls_per_minute:
            raise _exceeded("TOOL_RATE_LIMITED", tool.name, tool.calls_per_minute, "minute", window.room_in_s(now))
        window.add(now)
        if dry_run:
            return
        try:
            await self._count_day(org_id, tool)
        except BaseException:
            window.take_back(self._clock.monotonic())
            raise

    async def used(self, org_id: str, tools: Collection[str]) -> Mapping[str, QuotaUse]:
        """Return how often `org_id` called each of `tools`.

        Raises:
            UpstreamDown: when the store is away.
        """
        day = _day(self._clock.now())
        keys = [DayKey(org_id, name, day) for name in tools]
        days = await self._writer.note(lambda: [self._days.calls(key) for key in keys], self._days)
        now = self._clock.monotonic()
        windows = [self._minutes.get((org_id, name)) for name in tools]
        return {
            name: QuotaUse(window.calls(now) if window else 0, calls)
            for name, window, calls in zip(tools, windows, days, strict=True)
        }

    async def prune(self) -> None:
        """Delete the counts of days that are long over.

        Raises:
            UpstreamDown: when the store is away.
        """
        oldest = _day(self._clock.now() - _KEPT)
        await self._writer.run(lambda connection: connection.execute(_PRUNE, (oldest,)).rowcount)

    async def keep_bounded(self) -> None:
        """Prune again and again, until cancelled. Raises as `prune`."""
        while True:
            await self.prune()
            await asyncio.sleep(_PAUSE_S)

    async def _count_day(self, org_id: str, tool: ToolDefinition) -> None:
        now = self._clock.now()
        key, most = DayKey(org_id, tool.name, _day(now)), tool.calls_per_day
        if not most:
            # Only told, never enforced: a store that is away is no reason to fail the call.
            with suppress(UpstreamDown):
                self._writer.note_soon(lambda: self._days.count(key, 0), self._days)
        elif not await self._writer.note(lambda: self._days.count(key, most), self._days):
            tomorrow = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
            raise _exceeded("TOOL_QUOTA_EXCEEDED", tool.name, most, "day (UTC)", (tomorrow - now).total_seconds())

    def _window(self, org_id: str, tool: str) -> MinuteWindow:
        window = self._minutes.setdefault((org_id, tool), MinuteWindow())
        self._minutes.move_to_end((org_id, tool))
        while len(self._minutes) > _MOST_WINDOWS:
            self._minutes.popitem(last=False)
        return window


def _day(moment: datetime) -> str:
    return moment.date().isoformat()


def _exceeded(reason: str, tool: str, limit: int, period: str, wait_s: float) -> QuotaExceeded:
    return QuotaExceeded(
        reason,
        f"Your organisation may call the tool {tool!r} {limit} times a {period}, and did. There is room again in "
        f"{max(1, round(wait_s))} s.",
        metadata={"tool": tool, "limit": str(limit)},
        retry_after_s=max(1.0, wait_s),
    )
