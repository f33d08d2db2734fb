"""The audit: the fake and the real one; what the real one keeps, drops, and refuses to lose."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tools_fakes import FakeAuditLog

from shared.errors import UpstreamDown
from shared.ids import new_id
from shared.storage import Database, GroupCommit
from shared.testing.fakes import FakeClock
from tool_executor.adapters.audit_log_sqlite import AuditWriters, SqliteAuditLog
from tool_executor.domain.audit_event import AuditEvent
from tool_executor.domain.tool_call import CallOrigin
from tool_executor.ports.audit_log import AuditLog


def event(clock: FakeClock, **changes: object) -> AuditEvent:
    origin = CallOrigin("clerk", "telegram", "", "run-1")
    policies = ("platform:a", "scope:agent=clerk")
    made = AuditEvent(new_id(), "org-a", "user-1", "send", origin, False, "No.", policies, clock.now())
    return dataclasses.replace(made, **changes)  # type: ignore[arg-type]


@asynccontextmanager
async def fake(folder: Path, clock: FakeClock) -> AsyncGenerator[AuditLog, None]:
    yield FakeAuditLog()


@asynccontextmanager
async def sqlite(folder: Path, clock: FakeClock, kept: int = 5) -> AsyncGenerator[SqliteAuditLog, None]:
    path = folder / "tools.sqlite"
    database = Database(path, "tool_executor.adapters.migrations")
    writers = AuditWriters(refusals=GroupCommit(path), effects=GroupCommit(path, synchronous="FULL"))
    await database.open()
    await writers.refusals.start()
    await writers.effects.start()
    try:
        yield SqliteAuditLog(database, writers, clock, kept_days=90, kept_events=kept)
    finally:
        await writers.effects.stop()
        await writers.refusals.stop()
        await database.close()


@pytest.mark.parametrize("make", [fake, sqlite])
async def test_events_come_back_newest_first_in_pages_and_only_to_their_organisation(
    make: Callable[..., object], tmp_path: Path
) -> None:
    clock = FakeClock()
    async with make(tmp_path, clock) as audit:  # type: ignore[attr-defined]
        written = [event(clock, allowed=number % 2 == 0, tool=f"t{number}") for number in range(4)]
        for each in (*written, event(clock, org_id="org-b")):
            await audit.note(each)
        first = await audit.page("org-a", refused_only=False, before="", size=3)
        assert list(first) == written[:0:-1]
        rest = await audit.page("org-a", refused_only=False, before=first[-1].event_id, size=3)
        assert list(rest) == written[:1]
        refused = await audit.page("org-a", refused_only=True, before="", size=9)
        assert [each.tool for each in refused] == ["t3", "t1"]


async def test_a_flood_of_refusals_pushes_no_effect_out_and_old_events_go(tmp_path: Path) -> None:
    clock = FakeClock()
    async with sqlite(tmp_path, clock) as audit:
        await audit.note(event(clock, allowed=True))
        for number in range(499):
            await audit.note(event(clock, tool=f"t{number}"))
        kept = await audit.page("org-a", refused_only=False, before="", size=500)
        assert [each.tool for each in kept] == ["t498", "t497", "t496", "t495", "t494", "send"]
        for _ in range(3):
            await audit.note(event(clock, org_id="org-b", at=datetime(2000, 1, 1, tzinfo=UTC)))
        await audit.forget_old()
        assert not await audit.page("org-b", refused_only=False, before="", size=9)
        clock.advance(timedelta(days=91).total_seconds())
        await audit.forget_old()
        assert not await audit.page("org-a", refused_only=False, before="", size=9)


@pytest.mark.parametrize("allowed", [True, False])
async def test_a_full_disk_is_an_error(tmp_path: Path, allowed: bool) -> None:
    clock = FakeClock()
    async with sqlite(tmp_path, clock) as audit:
        writers = audit._writers
        for writer in (writers.refusals, writers.effects):
            # No page more than there are: what SQLite says then is what it says when the disk is full.
            await writer.run(lambda connection: connection.execute("PRAGMA max_page_count=1").fetchone())

        async def flood() -> None:
            for _ in range(100):
                await audit.note(event(clock, allowed=allowed))

        with pytest.raises(UpstreamDown) as caught:
            await flood()
        assert caught.value.reason == "STORAGE_FULL"


async def test_effects_are_written_by_the_writer_that_syncs_each_of_them_and_refusals_are_not(tmp_path: Path) -> None:
    clock = FakeClock()
    async with sqlite(tmp_path, clock) as audit:
        await audit._writers.effects.stop()
        await audit.note(event(clock))
        with pytest.raises(UpstreamDown):
            await audit.note(event(clock, allowed=True))
