"""Importing a calendar, and listing the adapters."""

from __future__ import annotations

import pytest
from dashboard_fakes import ANN, BOB, DAILY, EVE, LUNCH, NOON, FakeSource, InlineParser, MemoryStore

from dashboard_service.adapters.sync_journal_memory import MemorySyncJournal
from dashboard_service.domain.source import Sync
from dashboard_service.domain.stored_calendar import MAX_CALENDARS_PER_USER, MAX_ICS_BYTES, StoredCalendar
from dashboard_service.use_cases.import_calendar import ImportCalendar
from dashboard_service.use_cases.list_adapters import ListAdapters
from shared.errors import InvalidInput, QuotaExceeded, UpstreamDown
from shared.testing.fakes import FakeClock

DOWN = UpstreamDown("DOWN", "It is down.")


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def importer(store: MemoryStore, parser: InlineParser | None = None) -> ImportCalendar:
    return ImportCalendar(parser or InlineParser(), store, FakeClock())


async def test_a_file_is_kept_for_its_owner_alone(store: MemoryStore) -> None:
    assert await importer(store)(ANN, " work ", LUNCH) == 1
    assert await store.list_of(ANN) == [StoredCalendar("work", 1, NOON, NOON)]
    assert await store.ics_of(ANN, "work") == LUNCH
    assert await store.list_of(BOB) == await store.list_of(EVE) == []


async def test_a_file_of_the_same_name_takes_the_earlier_ones_place(store: MemoryStore) -> None:
    await importer(store)(ANN, "work", LUNCH)
    await importer(store)(ANN, "work", DAILY)
    assert [c.name for c in await store.list_of(ANN)] == ["work"]
    assert await store.ics_of(ANN, "work") == DAILY


async def test_an_invalid_file_changes_nothing(store: MemoryStore) -> None:
    await importer(store)(ANN, "work", LUNCH)
    with pytest.raises(InvalidInput) as caught:
        await importer(store)(ANN, "work", LUNCH.replace(b"DTSTART", b"DTSTRAT"))
    assert (caught.value.reason, caught.value.metadata) == ("CALENDAR_INVALID", {"line": "4"})
    assert "line 4: the event has no DTSTART" in caught.value.message
    assert await store.ics_of(ANN, "work") == LUNCH


@pytest.mark.parametrize("name", ["", "   ", "a\nb", "a\0", "\u202egnp.exe"])
async def test_a_name_that_cannot_be_shown_is_refused(store: MemoryStore, name: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        await importer(store)(ANN, name, LUNCH)
    assert caught.value.reason == "CALENDAR_NAME_INVALID"
    assert [v.field for v in caught.value.violations] == ["name"]
    assert store.kept == {}


async def test_a_file_too_large_is_refused_unread(store: MemoryStore) -> None:
    parser = InlineParser()
    with pytest.raises(InvalidInput, match="CALENDAR_INVALID"):
        await importer(store, parser)(ANN, "work", b"x" * (MAX_ICS_BYTES + 1))
    assert parser.calls == 0


async def test_one_calendar_too_many_is_refused_and_replacing_is_not(store: MemoryStore) -> None:
    for n in range(MAX_CALENDARS_PER_USER):
        await importer(store)(ANN, f"c{n}", LUNCH)
    with pytest.raises(QuotaExceeded) as caught:
        await importer(store)(ANN, "more", LUNCH)
    assert caught.value.reason == "CALENDARS_EXHAUSTED"
    assert await importer(store)(ANN, "c0", DAILY) == 1
    assert await importer(store)(BOB, "more", LUNCH) == 1


async def test_a_store_that_fails_is_told(store: MemoryStore) -> None:
    store.failure = DOWN
    with pytest.raises(UpstreamDown, match="DOWN"):
        await importer(store)(ANN, "work", LUNCH)


async def test_adapters_are_listed_by_name_with_how_they_are() -> None:
    journal = MemorySyncJournal()
    journal.note(ANN, "b", NOON, "It was slow.")
    sources = [
        FakeSource("c", names=()),
        FakeSource("b"),
        FakeSource("a", find_failure=DOWN),
        FakeSource("d", demo=True),
    ]
    statuses = await ListAdapters(sources, journal)(ANN, 1)
    assert [(s.name, s.category, s.connected, s.demo, s.sync) for s in statuses] == [
        ("a", "calendar", False, False, Sync(None, "It is down.")),
        ("b", "calendar", True, False, Sync(NOON, "It was slow.")),
        ("c", "calendar", False, False, Sync()),
        ("d", "calendar", False, True, Sync()),
    ]
    assert [s.sync for s in await ListAdapters([FakeSource("b")], journal)(BOB, 1)] == [Sync()]


async def test_the_demonstration_is_connected_where_nothing_else_is() -> None:
    sources = [FakeSource("a", names=()), FakeSource("d", demo=True)]
    statuses = await ListAdapters(sources, MemorySyncJournal())(ANN, 1)
    assert [(s.name, s.connected) for s in statuses] == [("a", False), ("d", True)]
