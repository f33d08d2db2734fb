"""Finds the calendars that a person has connected, over all adapters."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dashboard_service.domain.owner import Owner
from dashboard_service.domain.source import CalendarRef
from dashboard_service.ports.calendar_source import CalendarSource
from shared.errors import NexusError

TOO_SLOW = "It did not answer in time."


@dataclass(frozen=True, slots=True)
class Found:
    """The calendars to show by adapter, and by adapter why they are not known."""

    calendars: Mapping[str, Sequence[CalendarRef]]
    problems: Mapping[str, str]


class FindCalendars:
    """Asks each adapter for a person's calendars. One that fails does not break the rest."""

    def __init__(self, sources: Sequence[CalendarSource]) -> None:
        self._sources = sources

    async def __call__(self, owner: Owner, within_s: float) -> Found:
        """Return the calendars of `owner`, those of demonstration adapters only where there are no others.

        Args:
            owner: whose.
            within_s: seconds that finding out may take.
        """
        real = await _asked([s for s in self._sources if not s.demo], owner, within_s / 2)
        # A demonstration beside real data, or in place of data that is only out of reach, would be a lie.
        if real.problems or any(real.calendars.values()):
            return real
        demo = await _asked([s for s in self._sources if s.demo], owner, within_s / 2)
        return Found({**real.calendars, **demo.calendars}, demo.problems)


async def _asked(sources: Sequence[CalendarSource], owner: Owner, within_s: float) -> Found:
    async with asyncio.TaskGroup() as group:
        tasks = {source.name: group.create_task(_calendars_of(source, owner, within_s)) for source in sources}
    answers = {name: task.result() for name, task in tasks.items()}
    return Found(
        {name: calendars for name, (calendars, _) in answers.items()},
        {name: problem for name, (_, problem) in answers.items() if problem},
    )


async def _calendars_of(source: CalendarSource, owner: Owner, within_s: float) -> tuple[Sequence[CalendarRef], str]:
    """Return the calendars of one adapter, or none and why."""
    try:
        async with asyncio.timeout(within_s):
            return await source.calendars(owner), ""
    except NexusError as error:
        return (), error.message
    except TimeoutError:
        return (), TOO_SLOW
