"""`nexus calendar`: the caller's calendars."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

from mesh.cli.invocation import invoke
from mesh.cli.options import DataOption, JsonOption
from mesh.cli.output import Output
from mesh.cli.session import UNARY_TIMEOUT_S, Session
from mesh.cli.wording import counted, moment
from protos.gen.nexus.dashboard.v1 import dashboard_pb2, dashboard_pb2_grpc
from shared.errors import InvalidInput
from shared.ids import new_id

app = typer.Typer(no_args_is_help=True, add_completion=False)
_LARGEST_FILE_BYTES = 2 * 1024 * 1024
_COLUMNS = ("when", "until", "what", "where", "calendar")


@app.callback()
def calendar() -> None:
    """Your calendars."""


@app.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(help="An iCalendar file (.ics), at most 2 MiB.", metavar="FILE")],
    name: Annotated[str, typer.Option("--name", help="Name of the calendar; default: the file's name.")] = "",
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Import an iCalendar file, over an earlier one of the same name."""

    async def work(session: Session, output: Output) -> None:
        request = dashboard_pb2.ImportCalendarRequest(
            name=name or file.stem, ics=read_calendar(file), request_id=new_id()
        )
        async with session.connect("dashboard") as link:
            stub = dashboard_pb2_grpc.DashboardServiceStub(link.channel)
            reply = await stub.ImportCalendar(request, metadata=link.metadata, timeout=UNARY_TIMEOUT_S)
        if output.as_json:
            output.message(reply)
        else:
            output.line(f"Imported {counted(reply.event_count, 'event')} as {request.name}.")

    invoke(work, data, as_json=as_json)


@app.command()
def show(
    days: Annotated[int, typer.Option("--days", min=1, max=366, help="How many days from now on.")] = 7,
    zone: Annotated[str, typer.Option("--time-zone", help="IANA time zone, for example Europe/Berlin.")] = "UTC",
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what is coming up."""

    async def work(session: Session, output: Output) -> None:
        time_zone = known_zone(zone)
        request = dashboard_pb2.GetContextRequest(time_zone=zone)
        now = datetime.now(UTC)
        request.start_time.FromDatetime(now)
        request.end_time.FromDatetime(now + timedelta(days=days))
        async with session.connect("dashboard") as link:
            stub = dashboard_pb2_grpc.DashboardServiceStub(link.channel)
            reply = await stub.GetContext(request, metadata=link.metadata, timeout=UNARY_TIMEOUT_S)
        if output.as_json:
            output.message(reply)
            return
        events = [_row(event, time_zone) for event in reply.context.calendar_events]
        output.table(_COLUMNS, events, f"Nothing in the next {counted(days, 'day')}.")
        for source in reply.context.sources:
            if source.error:
                output.note(f"{source.source or source.adapter}: {source.error}", "yellow")

    invoke(work, data, as_json=as_json)


def read_calendar(file: Path) -> bytes:
    """Return the file's content.

    Raises:
        InvalidInput: reason FILE_UNREADABLE, FILE_EMPTY or FILE_TOO_LARGE (over 2 MiB).
    """
    try:
        with file.open("rb") as opened:
            content = opened.read(_LARGEST_FILE_BYTES + 1)
    except OSError as error:
        raise InvalidInput("FILE_UNREADABLE", f"{file} cannot be read: {error.strerror}.") from error
    if not content:
        raise InvalidInput("FILE_EMPTY", f"{file} is empty.")
    if len(content) > _LARGEST_FILE_BYTES:
        raise InvalidInput("FILE_TOO_LARGE", f"{file} is larger than 2 MiB.")
    return content


def known_zone(name: str) -> ZoneInfo:
    """Return the time zone. Raises InvalidInput, reason TIME_ZONE_UNKNOWN."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InvalidInput(
            "TIME_ZONE_UNKNOWN", f"There is no time zone {name!r}. Use an IANA name such as Europe/Berlin."
        ) from error


def _row(event: dashboard_pb2.CalendarEvent, zone: ZoneInfo) -> tuple[str, ...]:
    start, end = moment(event.start_time, zone), moment(event.end_time, zone)
    style = "%a %Y-%m-%d" if event.all_day else "%a %Y-%m-%d %H:%M"
    # The end is exclusive: a day's event ends on the next midnight.
    until = "" if event.all_day else end.strftime("%H:%M" if start.date() == end.date() else style)
    source = "demonstration" if event.demo else event.calendar
    return (start.strftime(style), until, event.title, event.location, source)
