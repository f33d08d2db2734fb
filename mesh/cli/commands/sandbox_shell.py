"""`nexus sandbox shell`: a session at a prompt, or fed from a pipe."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer

from mesh.cli.commands.sandbox_options import (
    DestOption,
    EgressOption,
    ImageOption,
    LanguageOption,
    MemoryOption,
    TimeoutOption,
)
from mesh.cli.failures import finish
from mesh.cli.options import DataOption
from mesh.cli.output import Output
from mesh.cli.sandbox.client import SandboxClient, seconds
from mesh.cli.sandbox.inputs import language_of
from mesh.cli.sandbox.keeper import Keeper
from mesh.cli.sandbox.lines import Cells, PipedCells, TypedCells
from mesh.cli.sandbox.shell import Shell
from mesh.cli.sandbox.views import session_facts
from mesh.cli.session import Session, open_session
from protos.gen.nexus.sandbox.v1 import sandbox_pb2 as pb
from shared.errors import NotFound


def shell(
    language: LanguageOption = "python",
    image: ImageOption = "",
    timeout: TimeoutOption = 0.0,
    memory: MemoryOption = 0,
    egress: EgressOption = None,
    dest: DestOption = Path(),
    session_id: Annotated[str, typer.Option("--session", help="A session to go on with; it stays open.")] = "",
    keep: Annotated[bool, typer.Option("--keep", help="Leave the session open, and say its id.")] = False,
    data: DataOption = None,
) -> None:
    """Open a session and run what is typed, or what comes through a pipe: it keeps its variables and files.

    %help shows what the shell itself understands. Pictures are written into --dest. Ctrl-C interrupts the cell, Ctrl-D
    leaves. From a pipe, what stands between two of the shell's own lines is one cell; the first cell that fails ends
    it, with its status.
    """

    def work() -> int:
        mesh, output = open_session(data), Output(as_json=False)
        wanted = pb.CreateSessionRequest(
            language=language_of(language, ""),
            image=image,
            limits=pb.ExecutionLimits(wall_time=seconds(timeout), memory_bytes=memory << 20),
            egress=egress or (),
        )
        piped = None if sys.stdin.isatty() else PipedCells()
        with asyncio.Runner() as runner:
            session = runner.run(_opened(mesh, session_id, wanted))
            cells = piped or _typed(session, output)
            shown = Shell(mesh, session.session_id, output, Keeper(dest, "shell", pictures_only=True), runner)
            try:
                return shown.run(cells)
            finally:
                if not shown.is_gone:
                    runner.run(_left(mesh, session.session_id, output, stays=keep or bool(session_id)))

    finish(work, as_json=False)


def _typed(session: pb.Session, output: Output) -> Cells:
    output.note(f"Session {session.session_id}: {session_facts(session)}. %help helps, Ctrl-D leaves.")
    return TypedCells(is_python=session.language == pb.LANGUAGE_PYTHON)


async def _opened(mesh: Session, session_id: str, wanted: pb.CreateSessionRequest) -> pb.Session:
    async with mesh.connect("sandbox") as link:
        client = SandboxClient(link)
        if session_id:
            return (await client.session(session_id)).session
        return (await client.create_session(wanted)).session


async def _left(mesh: Session, session_id: str, output: Output, *, stays: bool) -> None:
    if stays:
        output.note(f"The session stays open: {session_id}")
        return
    try:
        async with mesh.connect("sandbox") as link:
            await SandboxClient(link).close_session(session_id)
    except NotFound:  # it went by itself
        return
