"""`nexus sandbox`: run code in isolation, once or in sessions."""

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
    TimeoutOption,
)
from mesh.cli.commands.sandbox_sessions import app as sessions
from mesh.cli.commands.sandbox_shell import shell
from mesh.cli.exit_codes import ExitCode
from mesh.cli.invocation import invoke
from mesh.cli.options import DataOption, JsonOption
from mesh.cli.output import Output
from mesh.cli.sandbox.client import SandboxClient, seconds
from mesh.cli.sandbox.follow import Follower
from mesh.cli.sandbox.inputs import bytes_of, input_files, language_of, program_of
from mesh.cli.sandbox.keeper import Keeper
from mesh.cli.sandbox.views import JsonView, TextView
from mesh.cli.session import Session
from protos.gen.nexus.sandbox.v1 import sandbox_pb2 as pb

app = typer.Typer(no_args_is_help=True, add_completion=False)
app.command()(shell)
app.add_typer(sessions, name="sessions")
_STDIN = "-"


@app.callback()
def sandbox() -> None:
    """Run code in isolation, once or in sessions. See docs/sandbox.md."""


@app.command()
def run(
    file: Annotated[str, typer.Argument(help="The program; - reads it from standard input.", metavar="FILE")],
    language: LanguageOption = "",
    image: ImageOption = "",
    inputs: Annotated[
        list[str] | None,
        typer.Option("--in", help="A file to put into the workspace; repeat it.", metavar="FILE[:PATH]"),
    ] = None,
    outputs: OutOption = None,
    dest: DestOption = Path(),
    force: ForceOption = False,
    stdin: Annotated[str, typer.Option("--stdin", help="What it reads; - for standard input.", metavar="FILE")] = "",
    timeout: TimeoutOption = 0.0,
    memory: MemoryOption = 0,
    strict: Annotated[bool, typer.Option("--strict", help="In an interpreter of its own; slower.")] = False,
    egress: EgressOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run a program, stream what it prints, and keep its results and files. Ctrl-C kills it.

    Ends with the program's exit code; 124 after its time, 137 where it was killed for its memory, its output or from
    outside, 128 and the number of any other signal; 1 when it did well and a file is missing.
    """
    if file == stdin == _STDIN:
        raise typer.BadParameter("standard input can be the program or what it reads, not both")
    keeper = Keeper(dest, "result" if file == _STDIN else Path(file).stem, force)

    async def work(session: Session, output: Output) -> int:
        request = pb.ExecuteRequest(
            language=language_of(language, file),
            code=program_of(file),
            stdin=bytes_of(stdin) if stdin else b"",
            limits=pb.ExecutionLimits(wall_time=seconds(timeout), memory_bytes=memory << 20),
            image=image,
            files=input_files(inputs or ()),
            output_paths=outputs or (),
            strict=strict,
            egress=egress or (),
        )
        keeper.check(outputs or ())
        follower = Follower(JsonView(output) if as_json else TextView(output), keeper)
        async with session.connect("sandbox") as link:
            return await follower.follow(SandboxClient(link).execute(request))

    invoke(work, data, as_json=as_json)


@app.command()
def cancel(
    execution_id: Annotated[str, typer.Argument(help="Id of the run or the cell.", metavar="EXECUTION_ID")],
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Kill a run, or interrupt a cell of a session."""

    async def work(session: Session, output: Output) -> None:
        async with session.connect("sandbox") as link:
            reply = await SandboxClient(link).cancel(execution_id)
        if output.as_json:
            output.message(reply)
        else:
            output.line(f"{execution_id} is being ended.")

    invoke(work, data, as_json=as_json)


@app.command()
def images(data: DataOption = None, as_json: JsonOption = False) -> None:
    """List what programs can find when they run. See docs/sandbox-images.md."""

    async def work(session: Session, output: Output) -> None:
        async with session.connect("sandbox") as link:
            reply = await SandboxClient(link).images()
        if output.as_json:
            output.message(reply)
            return
        rows = [
            (image.name, "ready" if image.available else "not set up", image.description, ", ".join(image.packages))
            for image in reply.images
        ]
        output.table(("image", "state", "for", "packages"), rows, "There are no images.")
        for image in reply.images:
            if image.remedy:
                output.note(f"{image.name}: {image.remedy}", "yellow")

    invoke(work, data, as_json=as_json)


@app.command()
def isolation(data: DataOption = None, as_json: JsonOption = False) -> None:
    """Show what is enforced around programs, as probed with real ones. Exit code 1 where nothing is run."""

    async def work(session: Session, output: Output) -> ExitCode:
        async with session.connect("sandbox") as link:
            reply = await SandboxClient(link).isolation()
        if output.as_json:
            output.message(reply)
        else:
            _show_isolation(reply, output)
        return ExitCode.OK if reply.available else ExitCode.FAILED

    invoke(work, data, as_json=as_json)


def _show_isolation(reply: pb.GetIsolationResponse, output: Output) -> None:
    rows = [(layer.name, "ok" if layer.enforced else "fail", layer.detail) for layer in reply.layers]
    output.table(("layer", "state", "how, or why not"), rows, "Nothing could be probed.")
    if reply.available:
        output.note(f"Backend {reply.backend}: programs are run.")
    else:
        output.note(f"Backend {reply.backend}: nothing is run. {reply.remedy}", "red")
