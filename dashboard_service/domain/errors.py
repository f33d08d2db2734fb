"""What can be wrong with a calendar."""

from __future__ import annotations

from shared.errors import FieldViolation, InvalidInput, QuotaExceeded, UpstreamDown


class CalendarInvalid(InvalidInput):
    """A file that is no usable iCalendar file.

    Args:
        why: what is wrong, without a full stop, for people.
        line: the line of the file, from 1; None when it cannot be told.
    """

    def __init__(self, why: str, line: int | None = None) -> None:
        where = f"line {line}: " if line else ""
        super().__init__(
            "CALENDAR_INVALID",
            f"This is not a usable iCalendar file: {where}{why}.",
            metadata={"line": str(line)} if line else None,
            violations=[FieldViolation("ics", f"{where}{why}")],
        )
        self.why = why
        self.line = line


class CalendarUnreachable(UpstreamDown):
    """A calendar's address that gives no calendar now. `why` names the host at most, never the address."""

    def __init__(self, why: str) -> None:
        super().__init__("CALENDAR_UNREACHABLE", why)


class CalendarAddressRefused(InvalidInput):
    """A calendar's address that Nexus does not fetch. `why` names the host at most, never the address."""

    def __init__(self, why: str) -> None:
        super().__init__("CALENDAR_ADDRESS_REFUSED", why)


def too_many_calendars(limit: int) -> QuotaExceeded:
    """Return the error of a person who has as many calendars as they may."""
    return QuotaExceeded(
        "CALENDARS_EXHAUSTED",
        f"You have {limit} calendars, which is as many as there may be. Import over one of them, by its name.",
        metadata={"limit": str(limit)},
    )
