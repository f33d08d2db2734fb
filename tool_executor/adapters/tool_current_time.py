"""The tool `get_current_time`: the date and time in a time zone."""

from __future__ import annotations

import asyncio
from functools import cache
from typing import cast
from zoneinfo import available_timezones

from shared.clock import Clock
from tool_executor.adapters.tool_definition_yaml import load_definition
from tool_executor.domain.time_window import day_name
from tool_executor.domain.time_zones import zone_of
from tool_executor.domain.tool_call import CallContext, ToolOutput, invalid_arguments
from tool_executor.domain.tool_definition import JsonObject, ToolDefinition


class CurrentTimeTool:
    """Tells the time, in the caller's time zone unless another is asked for."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._definition = load_definition("get_current_time")

    @property
    def definition(self) -> ToolDefinition:
        """What the tool says of itself."""
        return self._definition

    async def run(self, arguments: JsonObject, call: CallContext) -> ToolOutput:
        """Return the time in the zone of `arguments`: an IANA name, or a city that one is named after.

        Raises:
            ToolFailure: with reason TIME_ZONE_UNKNOWN when there is no such zone.
        """
        asked = cast("str", arguments.get("time_zone", "")).strip() or call.time_zone
        zone = zone_of(asked)
        if zone is None:
            # Reading the folder of zones takes milliseconds, so off the event loop.
            names = await asyncio.to_thread(_zones_by_word)
            zone = zone_of(names.get(_word(asked), "no/such zone"))
        if zone is None:
            raise invalid_arguments(
                "TIME_ZONE_UNKNOWN",
                f"time_zone: {asked[:64]!r} is no IANA time zone. Use a name such as Europe/Berlin or Asia/Tokyo.",
            )
        now = self._clock.now().astimezone(zone)
        value: JsonObject = {
            "time": now.isoformat(timespec="seconds"),
            "time_zone": zone.key,
            "weekday": f"{day_name(now.date()).partition(' ')[0]}",
        }
        return ToolOutput(value, f"It is {now:%H:%M} on {day_name(now.date())} ({zone.key}).")


def _word(text: str) -> str:
    return text.strip().lower().replace(" ", "_")


@cache
def _zones_by_word() -> dict[str, str]:
    """Return the zones by their names and by their last parts, in lower case."""
    names = sorted(available_timezones())
    cities = {name.rpartition("/")[2].lower(): name for name in names if name.count("/") == 1 and name[:3] != "Etc"}
    return cities | {name.lower(): name for name in names}
