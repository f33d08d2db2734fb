"""One person's or organisation's many and slow calendars do not keep the others waiting."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest
from dashboard_fakes import ANN, BOB, EVE, LUNCH, NOON, InlineParser, window

from dashboard_service.adapters.calendar_parser_fair import FairCalendarParser
from dashboard_service.adapters.calendar_source_fair import FairCalendarSource
from dashboard_service.domain.owner import Owner
from dashboard_service.domain.source import CalendarRef, Reading
from dashboard_service.domain.window import Window
from shared.auth.context import acting_as
from shared.errors import QuotaExceeded
from shared.testing.harness import principal


@dataclass
class SlowSource:
    """Notes who is read at once, and how much time each reading was given."""

    name: str = "slow"
    demo: bool = False
    reading: list[Owner] = field(default_factory=list)
    most: int = 0
    given_s: list[float] = field(default_factory=list)

    async def fetch(self, calendar: CalendarRef, window: Window, within_s: float) -> Reading:
        self.reading.append(calendar.owner)
        self.given_s.append(within_s)
        assert len(set(self.reading)) == len(self.reading), "two calendars of one person at once"
        self.most = max(self.most, len(self.reading))
        await asyncio.sleep(0.01)
        self.reading.remove(calendar.owner)
        return Reading((), NOON)


class SlowParser(InlineParser):
    async def count(self, ics: bytes) -> int:
        await asyncio.sleep(0.01)
        return await super().count(ics)


async def test_each_person_has_one_calendar_read_at_a_time_and_people_do_not_wait_for_each_other() -> None:
    slow = SlowSource()
    fair = FairCalendarSource(slow)
    refs = [CalendarRef("slow", owner, f"c{n}") for owner in (ANN, BOB, EVE) for n in range(3)]
    await asyncio.gather(*(fair.fetch(ref, window(), 100.0) for ref in refs))
    assert slow.most == 3
    assert max(slow.given_s) <= 100
    assert min(slow.given_s) < max(slow.given_s) - 0.01, "who waited has less time left"


async def test_who_leaves_the_queue_lets_the_next_in() -> None:
    slow = SlowSource()
    fair = FairCalendarSource(slow)
    waiting = [asyncio.create_task(fair.fetch(CalendarRef("slow", ANN, "c"), window(), 1)) for _ in range(3)]
    await asyncio.sleep(0.001)
    waiting[0].cancel()
    waiting[1].cancel()
    slow.reading.clear()
    assert (await waiting[2]).read_at == NOON
    assert len(fair._turns) <= 1


async def test_an_organisation_has_so_many_imports_at_once_and_no_more() -> None:
    fair = FairCalendarParser(SlowParser(), most=2)

    async def imported(org_id: str) -> int:
        with acting_as(principal(org_id)):
            return await fair.count(LUNCH)

    outcomes = await asyncio.gather(*(imported("org-a") for _ in range(3)), imported("org-b"), return_exceptions=True)
    assert [o for o in outcomes if o == 1] == [1, 1, 1]
    (refused,) = (o for o in outcomes if isinstance(o, QuotaExceeded))
    assert (refused.reason, refused.retry_after_s) == ("IMPORTS_EXHAUSTED", 2.0)
    assert outcomes[3] == 1
    assert await imported("org-a") == 1
    assert not fair._waiting


async def test_an_import_that_fails_gives_its_place_back() -> None:
    fair = FairCalendarParser(SlowParser(), most=1)
    with acting_as(principal()):
        for _ in range(3):
            with pytest.raises(Exception, match="CALENDAR_INVALID"):
                await fair.count(b"hello")
