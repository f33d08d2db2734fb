"""Tells a calendar in words."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from tool_executor.domain.agenda import Agenda, AgendaEvent, AgendaSource
from tool_executor.domain.time_window import Window, day_name

_TITLE_CHARS = 160


def tell(agenda: Agenda, window: Window, zone: ZoneInfo) -> str:
    """Return `agenda` as readable text with times in `zone`; says what is demonstration data and what is missing."""
    parts = [_events(agenda, window, zone), _demo(agenda), *(_trouble(source) for source in agenda.sources)]
    return " ".join(part for part in parts if part)


def one_line(text: str, limit: int = _TITLE_CHARS) -> str:
    """Return `text`, which anybody may have written, on one line without control characters, at most `limit` long."""
    clean = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return clean if len(clean) <= limit else f"{clean[: limit - 1]}…"


def _events(agenda: Agenda, window: Window, zone: ZoneInfo) -> str:
    if not agenda.sources and not agenda.events:
        return "No calendar is connected. Import an iCalendar file, or set the address of one in the settings."
    if not agenda.events:
        failed = all(source.error for source in agenda.sources)
        return "" if failed else f"Nothing on the calendar for {window.label}."
    if window.one_day:
        told = "; ".join(_event(event, window.start.date(), zone, agenda) for event in agenda.events)
        return f"{_capital(window.label)}: {told}."
    days: dict[date, list[str]] = {}
    for event in agenda.events:
        day = max(event.start.astimezone(zone), window.start).date()
        days.setdefault(day, []).append(_event(event, day, zone, agenda))
    return "\n".join(f"{day_name(day)}: {'; '.join(told)}." for day, told in sorted(days.items()))


def _event(event: AgendaEvent, day: date, zone: ZoneInfo, agenda: Agenda) -> str:
    title = one_line(event.title) or "(no title)"
    place = f" ({one_line(event.location)})" if event.location.strip() else ""
    mixed = event.demo and not all(other.demo for other in agenda.events)
    return f"{_when(event, day, zone)} {title}{place}{' [demonstration]' if mixed else ''}"


def _when(event: AgendaEvent, day: date, zone: ZoneInfo) -> str:
    start, end = event.start.astimezone(zone), event.end.astimezone(zone)
    if event.all_day:
        last = (end - timedelta(days=1)).date()
        return "all day" if last <= day else f"all day until {day_name(last)}"
    begins = f"{start:%H:%M}" if start.date() >= day else f"since {_day_and_time(start)}"
    if end <= start:
        return begins
    last_moment = (end - timedelta(microseconds=1)).date()
    if last_moment > day:
        return f"{begins} until {_day_and_time(end)}"
    return f"{begins}–{end:%H:%M}"  # noqa: RUF001 - an en dash stands between times


def _day_and_time(moment: datetime) -> str:
    return f"{day_name(moment.date())} {moment:%H:%M}"


def _demo(agenda: Agenda) -> str:
    if any(event.demo for event in agenda.events):
        return "This is demonstration data: connect a calendar to see your own."
    if agenda.sources and all(source.demo for source in agenda.sources) and not agenda.events:
        return "Only the demonstration calendar is connected."
    return ""


def _trouble(source: AgendaSource) -> str:
    name = one_line(source.name) or "calendar"
    if source.error:
        return f"The calendar {name!r} could not be read ({one_line(source.error, 200)}): events may be missing or old."
    return f"The calendar {name!r} shows an older state." if source.stale else ""


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
