"""Reads iCalendar files in processes of their own, which end with what they cannot cope with.

The libraries that read the format run for seconds on an honest file and for ever on a hostile one, and nothing can
end a thread. A process can be given bounds and be killed; it starts when it is needed and ends when it is not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dashboard_service.adapters.calendar_parser_wire import event_from_wire, window_to_wire
from dashboard_service.domain.errors import CalendarInvalid
from dashboard_service.domain.window import Window
from dashboard_service.ports.calendar_parser import Expansion
from shared.errors import UpstreamDown
from shared.worker import (
    Message,
    WorkerCommand,
    WorkerLostError,
    WorkerNotStartedError,
    WorkerPool,
    WorkersBusyError,
    WorkerSlowError,
)

_COMMAND = WorkerCommand("dashboard_service.adapters.calendar_parser_worker", max_reply_bytes=32 * 1024 * 1024)


class ProcessCalendarParser:
    """Reads iCalendar files in at most `workers` processes. Run `retire_idle` beside it; call `stop` at the end.

    Args:
        workers: how many files are read at a time, at least 1.
        timeout_s: wall time that one file may take once its turn has come.
        idle_s: how long a process without work is kept.
        in_hand: most files that are read or wait; each holds 2 MiB at most.
    """

    def __init__(self, workers: int = 2, timeout_s: float = 30.0, idle_s: float = 60.0, in_hand: int = 64) -> None:
        self._pool = WorkerPool(_COMMAND, workers=workers, in_hand=in_hand)
        self._timeout_s = timeout_s
        self._idle_s = idle_s

    async def count(self, ics: bytes) -> int:
        """Return the number of events in `ics`, a series counted once, after checking all of it."""
        reply = await self._ask({"op": "count"}, ics)
        return int(reply["count"])

    async def expand(self, ics: bytes, window: Window, calendar: str) -> Expansion:
        """Return the occurrences in `ics` that overlap `window`, marked as of the calendar `calendar`."""
        reply = await self._ask({"op": "expand", "calendar": calendar, **window_to_wire(window)}, ics)
        events = tuple(event_from_wire(row, calendar) for row in reply["events"])
        return Expansion(events, str(reply["problem"]))

    async def retire_idle(self) -> None:
        """End processes that have had no work for a while, until cancelled."""
        await self._pool.retire_idle(self._idle_s)

    async def stop(self) -> None:
        """End all processes."""
        await self._pool.stop()

    async def _ask(self, request: Mapping[str, Any], ics: bytes) -> Message:
        """Return a process's reply to `request` about `ics`.

        Raises:
            CalendarInvalid: when the reply says so, or the process did not survive the file.
            UpstreamDown: PARSER_BUSY when too many wait, PARSER_SLOW when there was no reply in time,
                PARSER_UNAVAILABLE when no process can be started.
        """
        if not ics:
            raise CalendarInvalid("it is empty", 1)
        try:
            reply = await self._pool.ask(request, ics, timeout_s=self._timeout_s)
        except WorkerLostError as error:
            raise CalendarInvalid("it takes too much memory to read") from error
        except WorkersBusyError as error:
            raise UpstreamDown("PARSER_BUSY", "Too many calendars are being read. Try again in a moment.") from error
        except WorkerSlowError as error:
            raise UpstreamDown(
                "PARSER_SLOW", "The calendar took too long to read. Try again when there is less to do, or shorten it."
            ) from error
        except WorkerNotStartedError as error:
            raise UpstreamDown(
                "PARSER_UNAVAILABLE", "Calendars cannot be read now: no process can be started."
            ) from error
        if "why" in reply:
            raise CalendarInvalid(str(reply["why"]), reply.get("line"))
        return reply
