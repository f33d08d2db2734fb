"""Imported calendars in SQLite."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.dialects.sqlite import insert

from dashboard_service.adapters.tables import calendars
from dashboard_service.domain.errors import too_many_calendars
from dashboard_service.domain.owner import Owner
from dashboard_service.domain.stored_calendar import MAX_CALENDARS_PER_USER, StoredCalendar
from shared.errors import NotFound
from shared.storage import Database

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class SqliteCalendarStore:
    """Keeps imported iCalendar files in one table. The database is opened and closed by who made it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, owner: Owner, calendar: StoredCalendar, ics: bytes) -> None:
        """Keep `ics` as the calendar `calendar.name` of `owner`, over an earlier one of that name."""
        row = insert(calendars).values(
            org_id=owner.org_id,
            user_id=owner.user_id,
            name=calendar.name,
            ics=ics,
            event_count=calendar.event_count,
            created_at_us=_to_us(calendar.created_at),
            updated_at_us=_to_us(calendar.updated_at),
        )
        others = select(func.count()).where(_owned_by(owner), calendars.c.name != calendar.name)
        # Writers take turns, so nobody adds a calendar between the count and the insert.
        async with self._database.begin() as connection:
            if (await connection.execute(others)).scalar_one() >= MAX_CALENDARS_PER_USER:
                raise too_many_calendars(MAX_CALENDARS_PER_USER)
            await connection.execute(
                row.on_conflict_do_update(
                    index_elements=[calendars.c.org_id, calendars.c.user_id, calendars.c.name],
                    set_={
                        "ics": row.excluded.ics,
                        "event_count": row.excluded.event_count,
                        "updated_at_us": row.excluded.updated_at_us,
                    },
                )
            )

    async def list_of(self, owner: Owner) -> Sequence[StoredCalendar]:
        """Return the calendars of `owner`, by name."""
        c = calendars.c
        query = select(c.name, c.event_count, c.created_at_us, c.updated_at_us).where(_owned_by(owner)).order_by(c.name)
        async with self._database.connect() as connection:
            rows = (await connection.execute(query)).all()
        return [
            StoredCalendar(row.name, row.event_count, _from_us(row.created_at_us), _from_us(row.updated_at_us))
            for row in rows
        ]

    async def ics_of(self, owner: Owner, name: str) -> bytes:
        """Return the file of the calendar `name` of `owner`."""
        query = select(calendars.c.ics).where(_owned_by(owner), calendars.c.name == name)
        async with self._database.connect() as connection:
            found = (await connection.execute(query)).scalar_one_or_none()
        if found is None:
            raise NotFound("CALENDAR_UNKNOWN", "You have no calendar of that name.")
        return bytes(found)


def _owned_by(owner: Owner) -> ColumnElement[bool]:
    return and_(calendars.c.org_id == owner.org_id, calendars.c.user_id == owner.user_id)


def _to_us(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _from_us(value: int) -> datetime:
    return _EPOCH + timedelta(microseconds=value)
