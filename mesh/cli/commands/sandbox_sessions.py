"""`nexus sandbox sessions`: interpreters that keep their variables and files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mesh.cli.commands.sandbox_options import (
    DestOption,
    EgressOption,
    ForceOption,
    ImageOption,
    LanguageOption,
    MemoryOption,
    OutOption,
    SessionArgument,
    TimeoutOption,
)
from mesh.cli.invocation import invoke
from mesh.cli.options import DataOption, JsonOption
from mesh.cli.output import Output
from mesh.cli.sandbox.client import SandboxClient, seconds
from mesh.cli.sandbox.inputs import language_of, program_of, text_of
from mesh.cli.sandbox.keeper import Keeper
from mesh.cli.sandbox.session_files import get, put, target_of
from mesh.cli.sandbox.shell import RunningCell, show_files
from mesh.cli.sandbox.views import JsonView, TextView, session_facts
from mesh.cli.session import Session
from mesh.cli.wording import enum_word, when
from protos.gen.nexus.sandbox.v1 import sandbox_pb2 as pb
from tool_executor.domain.artifact import size_words

app = typer.Typer(no_args_is_help=True, add_completion=False)
_COLUMNS = ("session", "language", "image", "state", "cells", "opened", "closes")


@app.callback()
def sessions() -> None:
    """Interpreters that keep their variables and files between cells."""


@app.command("list")
def list_sessions(
    limit: Annotated[int, typer.Option("--limit", min=1, max=500, help="Most sessions to list.")] = 50,
    page: Annotated[str, typer.Option("--page", help="Token of the page, from the page before.")] = "",
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """List your sessions, newest first."""

    async def work(session: Session, output: Output) -> None:
        async with session.connect("sandbox") as link:
            reply = await SandboxClient(link).sessions(limit, page)
        if output.as_json:
            output.message(reply)
            return
        output.table(_COLUMNS, [_row(each) for each in reply.sessions], "There are no sessions.")
        if reply.next_page_token:
            output.note(f"More: --page {reply.next_page_token}")

    invoke(work, data, as_json=as_json)


@app.command()
def create(
    language: LanguageOption = "python",
    image: ImageOption = "",
    timeout: TimeoutOption = 0.0,
    memory: MemoryOption = 0,
    idle: Annotated[
        float,
        typer.Option("--idle", min=0, help="Seconds without a call after which it is closed.", show_default=False),
    ] = 0.0,
    egress: EgressOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Open a session and print its id. --timeout is that of each cell."""

    async def work(session: Session, output: Output) -> None:
        request = pb.CreateSessionRequest(
            language=language_of(language, ""),
            image=image,
            limits=pb.ExecutionLimits(wall_time=seconds(timeout), memory_bytes=memory << 20),
            idle_timeout=seconds(idle),
            egress=egress or (),
        )
        async with session.connect("sandbox") as link:
            reply = await SandboxClient(link).create_session(request)
        if output.as_json:
            output.message(reply)
        else:
            output.line(reply.session.session_id)
            output.note(f"{session_facts(reply.session)}; closes at {when(reply.session.expire_time)} if unused.")

    invoke(work, data, as_json=as_json)


@app.command()
def close(session_id: SessionArgument, data: DataOption = None, as_json: JsonOption = False) -> None:
    """End a session and all that it holds."""

    async def work(session: Session, output: Output) -> None:
        async with session.connect("sandbox") as link:
            reply = await SandboxClient(link).close_session(session_id)
        if output.as_json:
            output.message(reply)
        else:
            output.line(f"{session_id} is closed.")

    invoke(work, data, as_json=as_json)


@app.command()
def run(
    session_id: SessionArgument,
    code: Annotated[str, typer.Argument(help="The cell; - reads it from standard input.", metavar="CODE")],
    outputs: OutOption = None,
    dest: DestOption = Path(),
    force: ForceOption = False,
    timeout: TimeoutOption = 0.0,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run a cell in a session. Ctrl-C interrupts it; exit codes are those of `nexus sandbox run`."""
    keeper = Keeper(dest, "cell", force, pictures_only=True)

    async def work(session: Session, output: Output) -> int:
        request = pb.ExecuteInSessionRequest(
            session_id=session_id,
            code=program_of(code) if code == "-" else text_of(code.encode("utf-8", "surrogateescape")),
            wall_time=seconds(timeout),
            output_paths=outputs or (),
        )
        keeper.check(outputs or ())
        view = JsonView(output) if as_json else TextView(output)
        async with session.connect("sandbox") as link:
            return await RunningCell(SandboxClient(link), view, keeper).run(request)

    invoke(work, data, as_json=as_json)


@app.command("put")
def put_file(
    session_id: SessionArgument,
    file: Annotated[Path, typer.Argument(help="A file of this machine.", metavar="FILE")],
    path: Annotated[str, typer.Argument(help="Where in the workspace; default: its name.", metavar="PATH")] = "",
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a file into a session's workspace."""

    async def work(session: Session, output: Output) -> None:
        async with session.connect("sandbox") as link:
            with output.progress(f"{file.name} ...") as tell:
                at, size = await put(SandboxClient(link), session_id, file, path, tell)
        if output.as_json:
            output.json_value({"path": at, "size_bytes": size})
        else:
            output.line(f"{at}: {size_words(size)}.")

    invoke(work, data, as_json=as_json)


@app.command("get")
def get_file(
    session_id: SessionArgument,
    path: Annotated[str, typer.Argument(help="Where in the workspace.", metavar="PATH")],
    file: Annotated[Path | None, typer.Argument(help="File or folder to write to.", metavar="FILE")] = None,
    force: ForceOption = False,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a file of a session's workspace to this machine; by default under its name, here."""

    async def work(session: Session, output: Output) -> None:
        target = target_of(path, file, force=force)
        async with session.connect("sandbox") as link:
            with output.progress(f"{target.name} ...") as tell:
                size = await get(SandboxClient(link), session_id, path, target, tell, force=force)
        if output.as_json:
            output.json_value({"path": path, "size_bytes": size, "saved": str(target)})
        else:
            output.line(f"{target}: {size_words(size)}.")

    invoke(work, data, as_json=as_json)


@app.command()
def files(session_id: SessionArgument, data: DataOption = None, as_json: JsonOption = False) -> None:
    """List the files of a session's workspace."""

    async def work(session: Session, output: Output) -> None:
        async with session.connect("sandbox") as link:
            reply = await SandboxClient(link).files(session_id)
        if output.as_json:
            output.message(reply)
        else:
            show_files(reply, output)

    invoke(work, data, as_json=as_json)


def _row(session: pb.Session) -> tuple[object, ...]:
    return (
        session.session_id,
        enum_word(pb.Language.DESCRIPTOR, session.language),
        session.image,
        "running" if session.busy else "idle",
        session.cells,
        when(session.create_time),
        when(session.expire_time),
    )
