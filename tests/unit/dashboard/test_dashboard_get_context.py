"""The context of a person: all sources at once, none able to break or delay the rest."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from datetime import timedelta

import pytest
from dashboard_fakes import ANN, BOB, NOON, FakeSource, event

from dashboard_service.adapters.sync_journal_memory import MemorySyncJournal
from dashboard_service.domain.context import Context
from dashboard_service.domain.source import SourceStatus, Sync
from dashboard_service.use_cases.get_context import ContextQuery, GetContext
from shared.errors import InvalidInput, UpstreamDown
from shared.testing.fakes import FakeClock

WEEK = ContextQuery(None, None, "", within_s=20)
DOWN = UpstreamDown("DOWN", "It is down.")


async def context_of(
    *sources: FakeSource, query: ContextQuery = WEEK, journal: MemorySyncJournal | None = None
) -> Context:
    return await GetContext(sources, journal or MemorySyncJournal(), FakeClock())(ANN, query)


async def test_events_of_all_calendars_come_together_in_order() -> None:
    files = FakeSource("icalendar_file", names=("home", "work"), events=[event("b", start=NOON + timedelta(hours=1))])
    url = FakeSource("icalendar_url", events=[event("a")])
    context = await context_of(url, files)
    assert [(e.uid, e.calendar) for e in context.events] == [("a", "main"), ("b", "home")]
    assert context.sources == (
        SourceStatus("icalendar_file", "home"),
        SourceStatus("icalendar_file", "work"),
        SourceStatus("icalendar_url", "main"),
    )
    assert context.created_at == NOON


async def test_a_source_that_fails_is_stale_and_the_rest_is_there() -> None:
    context = await context_of(FakeSource("a", failure=DOWN), FakeSource("b", events=[event()]))
    assert [e.uid for e in context.events] == ["e1"]
    assert context.sources == (SourceStatus("a", "main", stale=True, error="It is down."), SourceStatus("b", "main"))


async def test_a_source_that_is_late_is_stale_and_delays_nobody() -> None:
    began = time.monotonic()
    context = await context_of(
        FakeSource("a", delay_s=30),
        FakeSource("b", names=("x", "y"), delay_s=30),
        FakeSource("c", events=[event()]),
        query=replace(WEEK, within_s=0.2),
    )
    assert time.monotonic() - began < 10
    assert [e.uid for e in context.events] == ["e1"]
    assert [(s.source, s.stale) for s in context.sources] == [("main", True), ("x", True), ("y", True), ("main", False)]
    assert context.sources[0].error == "It did not answer in time."


async def test_an_adapter_whose_calendars_are_unknown_is_stale() -> None:
    context = await context_of(FakeSource("a", find_failure=DOWN), FakeSource("b", events=[event()]))
    assert context.sources[0] == SourceStatus("a", "", stale=True, error="It is down.")
    assert len(context.events) == 1


async def test_an_older_copy_is_shown_and_marked() -> None:
    context = await context_of(FakeSource("a", events=[event()], problem="An older copy."))
    assert context.sources == (SourceStatus("a", "main", stale=True, error="An older copy."),)
    assert len(context.events) == 1


DEMO = FakeSource("demo", demo=True, events=[event("demo")])


async def test_the_demonstration_is_shown_and_marked_where_there_is_nothing_else() -> None:
    context = await context_of(FakeSource("a", names=()), replace(DEMO))
    assert [(e.uid, e.demo) for e in context.events] == [("demo", True)]
    assert context.sources == (SourceStatus("demo", "main", demo=True),)


@pytest.mark.parametrize(
    "other",
    [
        FakeSource("a", events=[event("real")]),
        FakeSource("a"),
        FakeSource("a", failure=DOWN),
        FakeSource("a", find_failure=DOWN),
    ],
    ids=["with events", "empty", "broken", "unknown"],
)
async def test_the_demonstration_never_stands_beside_or_in_place_of_real_data(other: FakeSource) -> None:
    context = await context_of(other, replace(DEMO))
    assert not any(e.demo for e in context.events)
    assert not any(s.demo for s in context.sources)


async def test_a_broken_demonstration_is_stale() -> None:
    context = await context_of(FakeSource("demo", demo=True, find_failure=DOWN))
    assert context.sources == (SourceStatus("demo", "", stale=True, error="It is down.", demo=True),)


async def test_sources_are_asked_for_the_caller_alone() -> None:
    source = FakeSource("a")
    await context_of(source)
    assert source.asked == [ANN]


async def test_how_each_reading_went_is_noted_for_the_caller() -> None:
    journal = MemorySyncJournal()
    await context_of(FakeSource("good"), FakeSource("bad", failure=DOWN), journal=journal)
    assert journal.last(ANN, "good") == Sync(NOON, "")
    assert journal.last(ANN, "bad") == Sync(None, "It is down.")
    assert journal.last(BOB, "good") == Sync()


async def test_a_failure_keeps_the_time_of_the_last_success() -> None:
    journal = MemorySyncJournal()
    await context_of(FakeSource("a"), journal=journal)
    await context_of(FakeSource("a", failure=DOWN), journal=journal)
    assert journal.last(ANN, "a") == Sync(NOON, "It is down.")


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        (ContextQuery(NOON, NOON, "", 1), "WINDOW_INVALID"),
        (ContextQuery(None, None, "Mars/Olympus", 1), "TIME_ZONE_UNKNOWN"),
    ],
)
async def test_a_wrong_query_is_refused_before_any_source_is_asked(query: ContextQuery, reason: str) -> None:
    source = FakeSource("a")
    with pytest.raises(InvalidInput) as caught:
        await context_of(source, query=query)
    assert caught.value.reason == reason
    assert source.asked == []


async def test_a_caller_who_leaves_takes_the_work_along() -> None:
    source = FakeSource("a", delay_s=30)
    task = asyncio.create_task(context_of(source, query=replace(WEEK, within_s=60)))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(asyncio.all_tasks()) == 1


def test_the_journal_forgets_the_oldest() -> None:
    journal = MemorySyncJournal(most=2)
    for name in ("a", "b", "c"):
        journal.note(ANN, name, NOON, "")
    assert [journal.last(ANN, name).last_sync for name in ("a", "b", "c")] == [None, NOON, NOON]
