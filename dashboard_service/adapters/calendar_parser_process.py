"""Reads iCalendar files in processes of their own, which end with what they cannot cope with.

The libraries that read the format run for seconds on an honest file and for ever on a hostile one, and nothing can
end a thread. A process can be given bounds and be killed; it starts when it is needed and ends when it is not.
"""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dashboard_service.adapters.calendar_parser_wire import (
    LENGTH,
    MAX_REPLY_BYTES,
    Message,
    event_from_wire,
    framed,
    unframed,
    window_to_wire,
)
from dashboard_service.domain.errors import CalendarInvalid
from dashboard_service.domain.window import Window
from dashboard_service.ports.calendar_parser import Expansion
from shared.errors import UpstreamDown
from shared.telemetry.logging import get_logger

_log = get_logger(__name__)
_WORKER = "dashboard_service.adapters.calendar_parser_worker"
_ROOT = Path(__file__).resolve().parents[2]
# Each holds its file, 2 MiB at most.
_MAX_WAITING = 64


class ProcessCalendarParser:
    """Reads iCalendar files in at most `workers` processes. Run `retire_idle` beside it; call `stop` at the end.

    Args:
        workers: how many files are read at a time, at least 1.
        timeout_s: wall time that one file may take once its turn has come.
        idle_s: how long a process without work is kept.
    """

    def __init__(self, workers: int = 2, timeout_s: float = 30.0, idle_s: float = 60.0) -> None:
        self._turns = asyncio.Semaphore(workers)
        self._timeout_s = timeout_s
        self._idle_s = idle_s
        self._waiting = 0
        self._idle: list[tuple[float, Process]] = []

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
        while True:
            await asyncio.sleep(self._idle_s / 2)
            before_s = asyncio.get_running_loop().time() - self._idle_s
            while self._idle and self._idle[0][0] <= before_s:
                await _ended(self._idle.pop(0)[1])

    async def stop(self) -> None:
        """End all processes."""
        while self._idle:
            await _ended(self._idle.pop()[1])

    async def _ask(self, request: Mapping[str, Any], ics: bytes) -> Message:
        """Return a process's reply to `request` about `ics`.

        Raises:
            CalendarInvalid: when the reply says so, or the process did not survive the file.
            UpstreamDown: PARSER_BUSY when too many wait, and as `_asked` raises.
        """
        if not ics:
            raise CalendarInvalid("it is empty", 1)
        if self._waiting >= _MAX_WAITING:
            raise UpstreamDown("PARSER_BUSY", "Too many calendars are being read. Try again in a moment.")
        self._waiting += 1
        try:
            async with self._turns:
                reply = await self._asked(framed(request, ics))
        finally:
            self._waiting -= 1
        if "why" in reply:
            raise CalendarInvalid(str(reply["why"]), reply.get("line"))
        return reply

    async def _asked(self, message: bytes) -> Message:
        """Return the reply to `message` of a process without work, or of a new one.

        Raises:
            CalendarInvalid: when a process did not survive the file.
            UpstreamDown: PARSER_SLOW when there was no reply in time, PARSER_UNAVAILABLE when there is no process.
        """
        while self._idle:
            process = self._idle.pop()[1]
            try:
                return await self._answered(process, message)
            except (OSError, EOFError, ValueError):
                # It may have been killed long before it was asked; a new one will tell.
                _log.warning("calendar_parser_gone", returncode=process.returncode)
        try:
            return await self._answered(await _started(), message)
        except (OSError, EOFError, ValueError) as error:
            _log.warning("calendar_parser_lost", cause=type(error).__name__, size_bytes=len(message))
            raise CalendarInvalid("it takes too much memory to read") from error

    async def _answered(self, process: Process, message: bytes) -> Message:
        """Return the reply of `process`, which is then without work again; or end it."""
        answered = False
        try:
            async with asyncio.timeout(self._timeout_s):
                reply = await _exchanged(process, message)
            answered = True
        except TimeoutError as error:
            _log.warning("calendar_parser_slow", size_bytes=len(message))
            raise UpstreamDown(
                "PARSER_SLOW", "The calendar took too long to read. Try again when there is less to do, or shorten it."
            ) from error
        finally:
            # A process that owes an answer must never be asked again: it would give it to somebody else.
            if answered:
                self._idle.append((asyncio.get_running_loop().time(), process))
            else:
                await _ended(process)
        return reply


async def _exchanged(process: Process, message: bytes) -> Message:
    """Send `message` and return the reply.

    Raises:
        EOFError, OSError: when the process ended.
        ValueError: when the reply is no reply.
    """
    if process.stdin is None or process.stdout is None:
        raise EOFError
    process.stdin.write(message)
    await process.stdin.drain()
    (size,) = LENGTH.unpack(await process.stdout.readexactly(LENGTH.size))
    if size > MAX_REPLY_BYTES:
        raise ValueError("the reply is too long")
    return unframed(await process.stdout.readexactly(size))


async def _started() -> Process:
    try:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-m",
            _WORKER,
            stdin=PIPE,
            stdout=PIPE,
            # What a library says about a file may quote it.
            stderr=DEVNULL,
            # Nothing of this process's environment, which may hold secrets, is any business of the file's reader.
            env={"PYTHONPATH": str(_ROOT), "LANG": "C.UTF-8"},
            cwd="/",
        )
    except OSError as error:
        raise UpstreamDown("PARSER_UNAVAILABLE", "Calendars cannot be read now: no process can be started.") from error


async def _ended(process: Process) -> None:
    if process.returncode is None:
        process.kill()
    await process.wait()
