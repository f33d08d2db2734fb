"""The tool `get_user_context`: what is on the caller's calendar."""

from __future__ import annotations

from typing import cast
from zoneinfo import ZoneInfo

from shared.clock import Clock
from tool_executor.adapters.tool_definition_yaml import load_definition
from tool_executor.domain.agenda import Agenda, AgendaEvent
from tool_executor.domain.agenda_text import tell
from tool_executor.domain.time_window import Window, window_between, window_of_day
from tool_executor.domain.tool_call import CallContext, ToolFailure, ToolOutput, invalid_arguments
from tool_executor.domain.tool_definition import JsonObject, ToolDefinition
from tool_executor.ports.context_source import ContextSource

_MAX_EVENTS = 200


class UserContextTool:
    """Tells the caller's calendar for a day or a window, in the caller's time zone."""

    def __init__(self, source: ContextSource, clock: Clock) -> None:
        self._source = source
        self._clock = clock
        self._definition = load_definition("get_user_context")

    @property
    def definition(self) -> ToolDefinition:
        """What the tool says of itself."""
        return self._definition

    async def run(self, arguments: JsonObject, call: CallContext) -> ToolOutput:
        """Return the events of the window that `arguments` mean, by start.

        Raises:
            ToolFailure: DAY_UNKNOWN, TIME_MALFORMED or WINDOW_INVALID; CALENDARS_FAILED when no calendar could be read.
            NexusError: when the dashboard service cannot be asked.
        """
        zone = ZoneInfo(call.time_zone)
        window = self._window(arguments, zone)
        agenda = await self._source.agenda(window.start, window.end, call.time_zone, timeout_s=call.timeout_s)
        value = _value(agenda, window, call.time_zone)
        summary = tell(agenda, window, zone)
        if agenda.sources and not agenda.events and all(source.error for source in agenda.sources):
            raise ToolFailure("CALENDARS_FAILED", summary, value=value)
        return ToolOutput(value, summary)

    def _window(self, arguments: JsonObject, zone: ZoneInfo) -> Window:
        day, start, end = (cast("str", arguments.get(name, "")).strip() for name in ("day", "start", "end"))
        if day and (start or end):
            raise invalid_arguments("WINDOW_INVALID", "Give either day, or start and end, not both.")
        now = self._clock.now()
        return window_of_day(day, now, zone) if day else window_between(start, end, now, zone)


def _value(agenda: Agenda, window: Window, time_zone: str) -> JsonObject:
    zone = ZoneInfo(time_zone)
    return {
        "start": window.start.isoformat(),
        "end": window.end.isoformat(),
        "time_zone": time_zone,
        "events": [_event(event, zone) for event in agenda.events[:_MAX_EVENTS]],
        "event_count": len(agenda.events),
        "sources": [
            {"name": source.name, "stale": source.stale, "error": source.error, "demo": source.demo}
            for source in agenda.sources
        ],
    }


def _event(event: AgendaEvent, zone: ZoneInfo) -> JsonObject:
    return {
        "title": event.title,
        "start": event.start.astimezone(zone).isoformat(),
        "end": event.end.astimezone(zone).isoformat(),
        "location": event.location,
        "all_day": event.all_day,
        "calendar": event.calendar,
        "demo": event.demo,
    }
