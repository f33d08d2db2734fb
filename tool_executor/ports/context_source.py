"""Knows a person's own data."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from tool_executor.domain.agenda import Agenda


class ContextSource(Protocol):
    """Reads what is known of the caller, who is the principal of the work at hand."""

    async def agenda(self, start: datetime, end: datetime, time_zone: str, *, timeout_s: float) -> Agenda:
        """Return the caller's calendar events that overlap the window from `start` to `end`, both aware.

        Args:
            start: start of the window.
            end: end of the window, exclusive, at most 366 days after the start.
            time_zone: IANA zone in which all-day events are meant.
            timeout_s: longest time to wait.

        Raises:
            UpstreamDown: when the dashboard service does not answer.
            Forbidden: when the caller may not read it.
        """
        ...
