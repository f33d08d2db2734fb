"""The process that reads iCalendar files: one request after another until its service leaves.

It has bounds of its own on memory and processor time, no files to write, and an environment without secrets; who
started it ends it when it takes too long all the same.
"""

from __future__ import annotations

import hashlib
import signal
from collections import OrderedDict
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from dashboard_service.adapters.calendar_parser_icalendar import (
    OutOfTime,
    ParsedCalendar,
    expanded,
    parsed,
)
from dashboard_service.adapters.calendar_parser_wire import event_to_wire, window_from_wire
from dashboard_service.domain.errors import CalendarInvalid
from dashboard_service.domain.stored_calendar import MAX_ICS_BYTES
from dashboard_service.domain.window import MAX_SPAN, Window
from shared.worker.frames import Message
from shared.worker.serve import limit_process, serve

_MEMORY_BYTES = 512 * 1024 * 1024
_KEPT_BYTES = 2 * MAX_ICS_BYTES


class Reader:
    """Answers requests, and keeps the files read last, so that the same calendar is not read for each question."""

    def __init__(self) -> None:
        self._kept: OrderedDict[bytes, tuple[int, ParsedCalendar]] = OrderedDict()

    def answer(self, request: Message, ics: bytes) -> Message:
        """Return the reply to `request` about the file `ics`: what was asked, or why the file is invalid."""
        try:
            if request["op"] == "count":
                return {"count": self._count(ics)}
            expansion = expanded(self._parsed(ics), window_from_wire(request), request["calendar"], processor_time)
        except CalendarInvalid as error:
            return {"why": error.why, "line": error.line}
        return {"events": [event_to_wire(event) for event in expansion.events], "problem": expansion.problem}

    def _count(self, ics: bytes) -> int:
        calendar = self._parsed(ics)
        count = len(calendar.series)
        # What takes too long to work out should be refused now, while its owner is looking.
        now = datetime.now(UTC)
        expanded(calendar, Window(now, now + MAX_SPAN, ZoneInfo("UTC")), "", processor_time)
        for why, line in calendar.problems:
            raise CalendarInvalid(why, line)
        return count

    def _parsed(self, ics: bytes) -> ParsedCalendar:
        key = hashlib.sha256(ics).digest()
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key][1]
        calendar = parsed(ics, processor_time)
        self._kept[key] = (len(ics), calendar)
        while sum(size for size, _ in self._kept.values()) > _KEPT_BYTES:
            self._kept.popitem(last=False)
        return calendar


@contextmanager
def processor_time(limit_s: float) -> Generator[None]:
    """End the work inside with OutOfTime when it has used `limit_s` seconds of the processor."""

    def over(_signum: int, _frame: object) -> None:
        raise OutOfTime

    signal.signal(signal.SIGPROF, over)
    # Fires again and again, in case the first falls where an exception is dropped.
    signal.setitimer(signal.ITIMER_PROF, limit_s, 0.25)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def main() -> None:
    """Serve requests until the service has left."""
    limit_process(_MEMORY_BYTES)
    serve(Reader().answer)


if __name__ == "__main__":
    main()
