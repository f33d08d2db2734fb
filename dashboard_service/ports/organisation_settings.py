"""Port: what the caller's organisation set."""

from __future__ import annotations

from typing import Protocol

from dashboard_service.domain.source import CalendarSettings


class OrganisationSettings(Protocol):
    """Knows the settings of the organisation of the current principal."""

    async def calendar(self) -> CalendarSettings:
        """Return what is set about calendars.

        Raises:
            NexusError: when that cannot be found out now, or the caller may not know.
        """
        ...
