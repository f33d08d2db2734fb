"""A calendar source that counts and times what another one reads."""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client import Counter, Histogram

from dashboard_service.domain.owner import Owner
from dashboard_service.domain.source import CalendarRef, Reading
from dashboard_service.domain.window import Window
from dashboard_service.ports.calendar_source import CalendarSource
from shared.clock import Clock

_SECONDS = Histogram(
    "nexus_dashboard_source_seconds",
    "Time to read one calendar.",
    ["adapter"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
_READINGS = Counter(
    "nexus_dashboard_source_readings_total",
    "Calendars read, by how it went: fresh, stale (old or incomplete), failed (nothing, or given up).",
    ["adapter", "outcome"],
)


class MeteredCalendarSource:
    """Decorates `source`; the labels are the adapters' names."""

    def __init__(self, source: CalendarSource, clock: Clock) -> None:
        self._source = source
        self._clock = clock
        self.name = source.name
        self.demo = source.demo

    async def calendars(self, owner: Owner) -> Sequence[CalendarRef]:
        """Return the calendars of `owner` that the source could read."""
        return await self._source.calendars(owner)

    async def fetch(self, calendar: CalendarRef, window: Window, within_s: float) -> Reading:
        """Return what the source gives, counted and timed."""
        began_s = self._clock.monotonic()
        outcome = "failed"
        try:
            reading = await self._source.fetch(calendar, window, within_s)
            outcome = "stale" if reading.problem else "fresh"
        finally:
            _READINGS.labels(self.name, outcome).inc()
            _SECONDS.labels(self.name).observe(self._clock.monotonic() - began_s)
        return reading
