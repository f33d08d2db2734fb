"""Calendar source: demonstration data for a first look, marked as such."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from importlib.resources import files
from typing import Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator

from dashboard_service.domain.calendar_event import CalendarEvent
from dashboard_service.domain.owner import Owner
from dashboard_service.domain.source import CalendarRef, Reading
from dashboard_service.domain.window import Window, start_of_day
from dashboard_service.ports.organisation_settings import OrganisationSettings
from shared.clock import Clock

_NAME = "Demonstration"


class DemoEvent(BaseModel):
    """One event of the data file, placed by days from today."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(min_length=1)
    day: int = Field(ge=0, le=30)
    title: str
    start: time | None = None
    minutes: int = Field(0, ge=0)
    days: int = Field(0, ge=0)
    location: str = ""
    description: str = ""
    series: bool = False

    @model_validator(mode="after")
    def _of_one_kind(self) -> Self:
        if (self.start is None) != (self.days > 0):
            raise ValueError("an event has either a start or a number of days")
        return self


class DemoCalendarSource:
    """Gives a few events of the coming days. The first call reads the data file of this package."""

    name = "demo_calendar"
    demo = True

    def __init__(self, organisation: OrganisationSettings, clock: Clock) -> None:
        self._organisation = organisation
        self._clock = clock
        self._events: Sequence[DemoEvent] | None = None

    async def calendars(self, owner: Owner) -> Sequence[CalendarRef]:
        """Return the demonstration calendar unless the organisation switched it off."""
        if not (await self._organisation.calendar()).demo:
            return []
        return [CalendarRef(self.name, owner, _NAME, demo=True)]

    async def fetch(self, calendar: CalendarRef, window: Window, within_s: float) -> Reading:
        """Return the demonstration events that overlap `window`."""
        del within_s  # There is nothing to wait for.
        now = self._clock.now()
        today = now.astimezone(window.zone).date()
        events = [_placed(event, today, window, calendar.name) for event in self._data()]
        return Reading(tuple(e for e in events if window.overlaps(e.start, e.end)), now)

    def _data(self) -> Sequence[DemoEvent]:
        if self._events is None:
            text = files("dashboard_service.adapters").joinpath("calendar_source_demo.yaml").read_text(encoding="utf-8")
            self._events = TypeAdapter(list[DemoEvent]).validate_python(yaml.safe_load(text))
        return self._events


def _placed(event: DemoEvent, today: date, window: Window, calendar: str) -> CalendarEvent:
    """Return `event` in the days from `today` on, in the window's zone."""
    day = today + timedelta(days=event.day)
    if event.start is None:
        start = start_of_day(day, window.zone)
        end = start_of_day(day + timedelta(days=event.days), window.zone)
    else:
        start = datetime.combine(day, event.start, window.zone).astimezone(UTC)
        end = start + timedelta(minutes=event.minutes)
    return CalendarEvent(
        uid=f"demo-{event.id}" if event.series else f"demo-{event.id}-{day.isoformat()}",
        title=event.title,
        start=start,
        end=end,
        all_day=event.start is None,
        recurring=event.series,
        calendar=calendar,
        location=event.location,
        description=event.description,
        demo=True,
    )
