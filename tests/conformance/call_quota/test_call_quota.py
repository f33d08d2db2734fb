"""One suite for quotas: the fake and SQLite."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from sqlalchemy import func, select
from tools_fakes import ECHO, FakeCallQuota
from tools_store import ToolStore

from shared.errors import QuotaExceeded, UpstreamDown
from shared.storage import GroupCommit
from shared.testing.fakes import FakeClock
from tool_executor.adapters.call_quota_sqlite import SqliteCallQuota
from tool_executor.adapters.tables import tool_days
from tool_executor.domain.tool_definition import ToolDefinition
from tool_executor.domain.tool_standing import QuotaUse
from tool_executor.ports.call_quota import CallQuota

FREE = dataclasses.replace(ECHO, name="free")
BY_MINUTE = dataclasses.replace(ECHO, name="by_minute", calls_per_minute=3)
BY_DAY = dataclasses.replace(ECHO, name="by_day", calls_per_day=2)
BOTH = dataclasses.replace(ECHO, name="both", calls_per_minute=5, calls_per_day=2)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncGenerator[ToolStore, None]:
    async with ToolStore(tmp_path / "tools.sqlite") as opened:
        yield opened


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def sqlite(store: ToolStore, clock: FakeClock) -> SqliteCallQuota:
    return SqliteCallQuota(store.writer, clock)


@pytest.fixture(params=["fake", "sqlite"])
def quota(request: pytest.FixtureRequest) -> CallQuota:
    return FakeCallQuota() if request.param == "fake" else request.getfixturevalue("sqlite")


async def take(quota: CallQuota, tool: ToolDefinition, times: int = 1, org_id: str = "org-a", **more: bool) -> None:
    for _ in range(times):
        await quota.take(org_id, tool, dry_run=more.get("dry_run", False))


@pytest.mark.parametrize(
    ("tool", "limit", "reason"), [(BY_MINUTE, 3, "TOOL_RATE_LIMITED"), (BY_DAY, 2, "TOOL_QUOTA_EXCEEDED")]
)
async def test_a_limit_holds_for_an_organisation_and_a_refused_call_is_not_counted(
    quota: CallQuota, tool: ToolDefinition, limit: int, reason: str
) -> None:
    await take(quota, tool, limit)
    for _ in range(3):
        with pytest.raises(QuotaExceeded) as caught:
            await take(quota, tool)
        assert caught.value.reason == reason
        assert caught.value.retry_after_s
    assert (await quota.used("org-a", [tool.name]))[tool.name] == QuotaUse(limit, limit)
    await take(quota, tool, limit, "org-b")


async def test_calls_at_once_never_exceed_the_limit(quota: CallQuota) -> None:
    ended = await asyncio.gather(*(take(quota, BOTH) for _ in range(5)), return_exceptions=True)
    assert sum(each is None for each in ended) == 2
    assert (await quota.used("org-a", ["both"]))["both"] == QuotaUse(2, 2)


async def test_a_dry_run_is_no_call_of_the_day(quota: CallQuota) -> None:
    await take(quota, BY_DAY, 4, dry_run=True)
    await take(quota, BY_DAY, 2)
    await take(quota, BY_MINUTE, 3, dry_run=True)
    with pytest.raises(QuotaExceeded):
        await take(quota, BY_MINUTE, dry_run=True)
    assert (await quota.used("org-a", ["by_day"]))["by_day"].day == 2


async def test_what_was_never_called_was_used_not_at_all(quota: CallQuota) -> None:
    assert (await quota.used("org-a", ["free"])).get("free", QuotaUse()) == QuotaUse()


async def test_minutes_and_days_end_and_say_when(sqlite: SqliteCallQuota, clock: FakeClock) -> None:
    await take(sqlite, BY_DAY, 2)
    await take(sqlite, BY_MINUTE, 3)
    with pytest.raises(QuotaExceeded) as late:
        await take(sqlite, BY_DAY)
    with pytest.raises(QuotaExceeded) as soon:
        await take(sqlite, BY_MINUTE)
    assert late.value.retry_after_s == 12 * 3600
    assert soon.value.retry_after_s == 61
    clock.advance(61)
    await take(sqlite, BY_MINUTE)
    clock.advance(12 * 3600)
    await take(sqlite, BY_DAY)
    assert (await sqlite.used("org-a", ["by_day"]))["by_day"] == QuotaUse(1, 1)


async def test_days_survive_a_restart_and_minutes_do_not(tmp_path: Path, clock: FakeClock) -> None:
    path = tmp_path / "again.sqlite"
    async with ToolStore(path) as store:
        before = SqliteCallQuota(store.writer, clock)
        await take(before, BOTH, 2)
        await take(before, FREE, 3)
    async with ToolStore(path) as store:
        after = SqliteCallQuota(store.writer, clock)
        with pytest.raises(QuotaExceeded):
            await take(after, BOTH)
        assert dict(await after.used("org-a", ["both", "free"])) == {"both": QuotaUse(0, 2), "free": QuotaUse(0, 3)}


async def test_a_limit_a_day_is_one_for_two_processes(store: ToolStore, sqlite: SqliteCallQuota) -> None:
    other = GroupCommit(store.path)
    await other.start()
    try:
        theirs = SqliteCallQuota(other, FakeClock())
        await take(sqlite, BY_DAY)
        await take(theirs, BY_DAY)
        for quota in (sqlite, theirs):
            with pytest.raises(QuotaExceeded):
                await take(quota, BY_DAY)
    finally:
        await other.stop()


async def test_without_a_store_a_limit_a_day_refuses_and_nothing_else_does(
    store: ToolStore, sqlite: SqliteCallQuota
) -> None:
    await store.writer.stop()
    with pytest.raises(UpstreamDown):
        await take(sqlite, BOTH)
    await take(sqlite, FREE)
    await take(sqlite, BY_MINUTE)
    assert sqlite._minutes["org-a", "both"].calls(FakeClock().monotonic()) == 0


async def test_days_that_are_long_over_go(store: ToolStore, sqlite: SqliteCallQuota, clock: FakeClock) -> None:
    for _ in range(3):
        await take(sqlite, BY_DAY)
        clock.advance(60 * 86_400)
    await sqlite.prune()
    async with store.database.connect() as connection:
        assert (await connection.execute(select(func.count()).select_from(tool_days))).scalar_one() == 1
