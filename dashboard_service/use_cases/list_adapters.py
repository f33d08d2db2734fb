"""Lists the adapters and how they are for a person."""

from __future__ import annotations

from collections.abc import Sequence

from dashboard_service.domain.owner import Owner
from dashboard_service.domain.source import AdapterStatus, Sync
from dashboard_service.ports.calendar_source import CalendarSource
from dashboard_service.ports.sync_journal import SyncJournal
from dashboard_service.use_cases.find_calendars import FindCalendars

_CATEGORY = "calendar"


class ListAdapters:
    """Says which adapters there are, which are connected, and how they last did."""

    def __init__(self, sources: Sequence[CalendarSource], journal: SyncJournal) -> None:
        self._sources = sources
        self._find = FindCalendars(sources)
        self._journal = journal

    async def __call__(self, owner: Owner, within_s: float) -> Sequence[AdapterStatus]:
        """Return the adapters as they are for `owner`, by name. Reads no calendar.

        Args:
            owner: for whom.
            within_s: seconds that it may take; an adapter that is late is not connected and says why.
        """
        found = await self._find(owner, within_s)
        statuses: list[AdapterStatus] = []
        for source in sorted(self._sources, key=lambda source: source.name):
            last = self._journal.last(owner, source.name)
            problem = found.problems.get(source.name)
            statuses.append(
                AdapterStatus(
                    source.name,
                    _CATEGORY,
                    connected=bool(found.calendars.get(source.name)),
                    demo=source.demo,
                    sync=Sync(last.last_sync, problem) if problem else last,
                )
            )
        return statuses
