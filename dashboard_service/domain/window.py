"""A span of time in a time zone: what is asked for, and which events belong to it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from shared.errors import FieldViolation, InvalidInput

MAX_SPAN = timedelta(days=366)
DEFAULT_SPAN = timedelta(days=7)
# Far enough for any calendar, and far enough from the ends of `datetime` for all the arithmetic on it.
_FIRST_YEAR = 1900
_LAST_YEAR = 2200


@dataclass(frozen=True, slots=True)
class Window:
    """A half-open span `[start, end)`, both in UTC, and the zone in which days and floating times are meant."""

    start: datetime
    end: datetime
    zone: ZoneInfo

    def overlaps(self, start: datetime, end: datetime) -> bool:
        """Return whether the span `[start, end)` has a moment in common with the window.

        A span of no length counts as its one moment. All times are aware and in UTC.
        """
        if start == end:
            return self.start <= start < self.end
        return start < self.end and self.start < end


def window_of(start: datetime | None, end: datetime | None, time_zone: str, now: datetime) -> Window:
    """Return the window that a request means.

    Args:
        start: aware; None for `now`.
        end: aware, after the start and at most `MAX_SPAN` later; None for `DEFAULT_SPAN` after the start.
        time_zone: an IANA name; empty for UTC.
        now: the time, aware.

    Raises:
        InvalidInput: TIME_ZONE_UNKNOWN or WINDOW_INVALID, with the field.
    """
    zone = zone_of(time_zone)
    first = (start or now).astimezone(UTC)
    _check_year(first, "start_time")
    last = end.astimezone(UTC) if end else first + DEFAULT_SPAN
    _check_year(last, "end_time")
    if last <= first:
        raise _invalid("end_time", "must be after start_time")
    if last - first > MAX_SPAN:
        raise _invalid("end_time", f"must be at most {MAX_SPAN.days} days after start_time")
    return Window(first, last, zone)


def zone_of(name: str) -> ZoneInfo:
    """Return the time zone with the IANA name `name`; UTC for an empty one.

    Raises:
        InvalidInput: TIME_ZONE_UNKNOWN.
    """
    try:
        return ZoneInfo(name or "UTC")
    except (KeyError, ValueError, OSError) as error:
        # The zone database is a folder: a name may also be a folder's, too long for a file's, or lead outside.
        raise InvalidInput(
            "TIME_ZONE_UNKNOWN",
            "There is no such time zone. Use an IANA name such as Europe/Berlin, or leave it empty for UTC.",
            violations=[FieldViolation("time_zone", "is not an IANA time zone")],
        ) from error


def start_of_day(day: date, zone: ZoneInfo) -> datetime:
    """Return the moment in UTC at which `day` begins in `zone`.

    Where clocks go forward over midnight, that is the first moment that exists.

    Raises:
        OverflowError: for the first and last days that `datetime` knows.
    """
    # PEP 495: a wall time that clocks skip means the moment after the jump, one that they repeat the first of the two.
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _check_year(moment: datetime, field: str) -> None:
    if not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
        raise _invalid(field, f"must be in the years {_FIRST_YEAR} to {_LAST_YEAR}")


def _invalid(field: str, why: str) -> InvalidInput:
    return InvalidInput("WINDOW_INVALID", f"{field} {why}.", violations=[FieldViolation(field, why)])
