"""The process that reads iCalendar files: one request after another from standard input until it closes.

It has bounds of its own on memory and processor time, no files to write, and an environment without secrets; who
started it ends it when it takes too long all the same.
"""

from __future__ import annotations

import hashlib
import resource
import signal
import sys
from collections import OrderedDict
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import BinaryIO
from zoneinfo import ZoneInfo

from dashboard_service.adapters.calendar_parser_icalendar import (
    OutOfTime,
    ParsedCalendar,
    expanded,
    parsed,
)
from dashboard_service.adapters.calendar_parser_wire import (
    LENGTH,
    Message,
    event_to_wire,
    framed,
    unframed,
    window_from_wire,
)
from dashboard_service.domain.errors import CalendarInvalid
from dashboard_service.domain.stored_calendar import MAX_ICS_BYTES
from dashboard_service.domain.window import MAX_SPAN, Window

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


def _read_frame(source: BinaryIO) -> bytes | None:
    head = source.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    return source.read(LENGTH.unpack(head)[0])


def main() -> None:
    """Serve requests from standard input to standard output until the input closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    reader = Reader()
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    # Whatever a library prints must not come between the frames.
    sys.stdout = sys.stderr
    while (head := _read_frame(source)) is not None and (ics := _read_frame(source)) is not None:
        sink.write(framed(reader.answer(unframed(head), ics)))
        sink.flush()


if __name__ == "__main__":
    main()
