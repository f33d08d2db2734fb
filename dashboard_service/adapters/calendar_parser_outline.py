"""The outline of an iCalendar file: a cheap first look that says where a file is wrong, and bounds what is to come.

Parsers of the format do not tell lines, and people who are told "the file is invalid" need one. And they refuse a
whole file for an alarm or a task that is wrong, so what Nexus does not show is left out before they see it.
"""

from __future__ import annotations

from dataclasses import dataclass

from dashboard_service.domain.errors import CalendarInvalid
from dashboard_service.domain.stored_calendar import MAX_ICS_BYTES

MAX_EVENTS = 5_000
MAX_LINES = 200_000
MAX_DEPTH = 8
_NESTINGS = frozenset(
    {
        ("VCALENDAR",),
        ("VCALENDAR", "VEVENT"),
        ("VCALENDAR", "VTIMEZONE"),
        ("VCALENDAR", "VTIMEZONE", "STANDARD"),
        ("VCALENDAR", "VTIMEZONE", "DAYLIGHT"),
    }
)
_OF_CALENDARS = frozenset({"BEGIN", "END", "METHOD", "CALSCALE", "X-WR-TIMEZONE"})
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Outline:
    """What matters of a file's text, its events and zones, and the line, from 1, on which each event begins."""

    text: str
    event_lines: tuple[int, ...]


class _Walk:
    """Follows the lines of a file into its components and out of them."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.begun: list[int] = []
        self.event_lines: list[int] = []

    def follow(self, line: str, number: int) -> bool:
        """Follow a line that continues no other, and return whether it matters.

        Raises:
            CalendarInvalid: when it cannot stand there.
        """
        key, colon, value = line.partition(":")
        word, name = key.upper(), value.strip().upper()[:40]
        if not self.names and (word, name) != ("BEGIN", "VCALENDAR"):
            raise CalendarInvalid("BEGIN:VCALENDAR is expected here", number)
        if word == "BEGIN":
            self._begin(name, number)
        inside = tuple(self.names)
        if word == "END":
            self._end(name, number)
        if inside == ("VCALENDAR",):
            if not colon:
                raise CalendarInvalid("it is no `NAME:value`", number)
            return word.partition(";")[0] in _OF_CALENDARS
        return inside in _NESTINGS

    def _begin(self, name: str, number: int) -> None:
        self.names.append(name)
        self.begun.append(number)
        if len(self.names) > MAX_DEPTH:
            raise CalendarInvalid("components are nested too deeply", number)
        if self.names == ["VCALENDAR", "VEVENT"]:
            self.event_lines.append(number)

    def _end(self, name: str, number: int) -> None:
        expected, begun = self.names.pop(), self.begun.pop()
        if name != expected:
            raise CalendarInvalid(f"END:{expected} is expected here, since line {begun} begins it", number)


def outline_of(ics: bytes) -> Outline:
    """Return the outline of `ics`.

    Raises:
        CalendarInvalid: when it is too large, is not UTF-8 text, or its components do not nest.
    """
    if len(ics) > MAX_ICS_BYTES:
        raise CalendarInvalid(f"it has {len(ics)} bytes, and {MAX_ICS_BYTES} are the most")
    lines = _decoded(ics.removeprefix(_BOM)).split("\n")
    if len(lines) > MAX_LINES:
        raise CalendarInvalid(f"it has more than {MAX_LINES} lines")
    walk = _Walk()
    kept: list[str] = []
    matters = False
    for number, raw in enumerate(lines, start=1):
        line = raw.rstrip("\r")
        # A line that begins with a blank continues the one before it (RFC 5545, 3.1).
        if line and not line.startswith((" ", "\t")):
            matters = walk.follow(line.rstrip(), number)
        if line and matters:
            kept.append(line)
    if walk.names:
        raise CalendarInvalid(f"BEGIN:{walk.names[-1]} has no END:{walk.names[-1]}", walk.begun[-1])
    if not kept:
        raise CalendarInvalid("it is empty", 1)
    if len(walk.event_lines) > MAX_EVENTS:
        raise CalendarInvalid(f"it has {len(walk.event_lines)} events, and {MAX_EVENTS} are the most")
    return Outline("\r\n".join([*kept, ""]), tuple(walk.event_lines))


def _decoded(ics: bytes) -> str:
    try:
        text = ics.decode()
    except UnicodeDecodeError as error:
        line = ics.count(b"\n", 0, error.start) + 1
        raise CalendarInvalid("it is not UTF-8 text", line) from error
    if "\0" in text:
        raise CalendarInvalid("it holds a NUL character", text.count("\n", 0, text.index("\0")) + 1)
    return text
