"""Calendar source: the iCalendar file at the address that the organisation set."""

from __future__ import annotations

from collections.abc import Sequence

from dashboard_service.domain.owner import Owner
from dashboard_service.domain.source import CalendarRef, Reading
from dashboard_service.domain.window import Window
from dashboard_service.ports.calendar_feed import CalendarFeed
from dashboard_service.ports.calendar_parser import CalendarParser
from dashboard_service.ports.organisation_settings import OrganisationSettings

_FETCH_SHARE = 0.6


class UrlCalendarSource:
    """Reads the file at the organisation's address. The calendar is named after the host: the rest may be secret."""

    name = "icalendar_url"
    demo = False

    def __init__(self, organisation: OrganisationSettings, feed: CalendarFeed, parser: CalendarParser) -> None:
        self._organisation = organisation
        self._feed = feed
        self._parser = parser

    async def calendars(self, owner: Owner) -> Sequence[CalendarRef]:
        """Return the calendar of the organisation of `owner`, which is the current principal's."""
        url = (await self._organisation.calendar()).url.strip()
        return [CalendarRef(self.name, owner, self._feed.host_of(url), url)] if url else []

    async def fetch(self, calendar: CalendarRef, window: Window, within_s: float) -> Reading:
        """Return the occurrences in `calendar` that overlap `window`, of an older copy where there is no newer."""
        feed = await self._feed.fetch(calendar.owner.org_id, calendar.locator, within_s * _FETCH_SHARE)
        expansion = await self._parser.expand(feed.ics, window, calendar.name)
        problem = " ".join(part for part in (feed.problem, expansion.problem) if part)
        return Reading(expansion.events, feed.read_at, problem)
