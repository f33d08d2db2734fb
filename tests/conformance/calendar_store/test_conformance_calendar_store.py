"""What every calendar store does, in memory or in SQLite."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from dashboard_fakes import ANN, BOB, DAILY, EVE, LUNCH, NOON, MemoryStore

from dashboard_service.adapters.calendar_store_sqlite import SqliteCalendarStore
from dashboard_service.domain.stored_calendar import MAX_CALENDARS_PER_USER, StoredCalendar
from dashboard_service.ports.calendar_store import CalendarStore
from shared.errors import NotFound, QuotaExceeded, UpstreamDown
from shared.storage import Database

LATER = NOON + timedelta(hours=1, microseconds=7)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(tmp_path / "db" / "dashboard.sqlite", "dashboard_service.adapters.migrations")
    await database.open()
    yield database
    await database.close()


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest) -> CalendarStore:
    return MemoryStore() if request.param == "memory" else SqliteCalendarStore(request.getfixturevalue("database"))


def named(name: str, at=NOON, count: int = 1) -> StoredCalendar:
    return StoredCalendar(name, count, at, at)


async def test_what_was_put_is_there(store: CalendarStore) -> None:
    await store.put(ANN, named("b", LATER, 7), LUNCH)
    await store.put(ANN, named("a"), DAILY)
    assert list(await store.list_of(ANN)) == [named("a"), named("b", LATER, 7)]
    assert await store.ics_of(ANN, "b") == LUNCH


async def test_putting_again_replaces_and_keeps_when_it_began(store: CalendarStore) -> None:
    await store.put(ANN, named("a"), LUNCH)
    await store.put(ANN, named("a", LATER, 3), DAILY)
    await store.put(ANN, named("a", LATER, 3), DAILY)
    assert list(await store.list_of(ANN)) == [StoredCalendar("a", 3, NOON, LATER)]
    assert await store.ics_of(ANN, "a") == DAILY


@pytest.mark.parametrize("stranger", [BOB, EVE], ids=["another user", "the same user id in another organisation"])
async def test_a_stranger_sees_and_changes_nothing(store: CalendarStore, stranger) -> None:
    await store.put(ANN, named("a"), LUNCH)
    assert list(await store.list_of(stranger)) == []
    with pytest.raises(NotFound) as caught:
        await store.ics_of(stranger, "a")
    assert caught.value.reason == "CALENDAR_UNKNOWN"
    await store.put(stranger, named("a", LATER), DAILY)
    assert await store.ics_of(ANN, "a") == LUNCH
    assert list(await store.list_of(ANN)) == [named("a")]


async def test_names_are_bytes_of_text_and_nothing_else(store: CalendarStore) -> None:
    names = ["a", "A", "a ", "%", "_", "'; DROP TABLE calendars; --", "Ünï", "日"]
    for name in names:
        await store.put(ANN, named(name), name.encode())
    assert {c.name for c in await store.list_of(ANN)} == set(names)
    assert [await store.ics_of(ANN, name) for name in names] == [name.encode() for name in names]


async def test_the_limit_holds_for_each_user_and_not_for_replacing(store: CalendarStore) -> None:
    for n in range(MAX_CALENDARS_PER_USER):
        await store.put(ANN, named(f"c{n}"), LUNCH)
    with pytest.raises(QuotaExceeded) as caught:
        await store.put(ANN, named("more"), LUNCH)
    assert (caught.value.reason, caught.value.metadata) == ("CALENDARS_EXHAUSTED", {"limit": "20"})
    await store.put(ANN, named("c0"), DAILY)
    await store.put(BOB, named("more"), LUNCH)
    assert len(await store.list_of(ANN)) == MAX_CALENDARS_PER_USER


async def test_the_limit_holds_for_puts_at_once(store: CalendarStore) -> None:
    puts = (store.put(ANN, named(f"c{n}"), LUNCH) for n in range(MAX_CALENDARS_PER_USER + 10))
    outcomes = await asyncio.gather(*puts, return_exceptions=True)
    assert sum(isinstance(o, QuotaExceeded) for o in outcomes) == 10
    assert len(await store.list_of(ANN)) == MAX_CALENDARS_PER_USER


async def test_calendars_outlive_the_process(tmp_path: Path) -> None:
    for turn in range(2):
        database = Database(tmp_path / "d.sqlite", "dashboard_service.adapters.migrations")
        await database.open()
        store = SqliteCalendarStore(database)
        if turn == 0:
            await store.put(ANN, named("a"), LUNCH)
        assert await store.ics_of(ANN, "a") == LUNCH
        await database.close()


async def test_a_closed_database_is_told(database: Database) -> None:
    await database.close()
    with pytest.raises(UpstreamDown, match="STORAGE"):
        await SqliteCalendarStore(database).list_of(ANN)
