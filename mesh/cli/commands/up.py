"""`nexus up`: starts the mesh, in front or in the background."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from mesh.cli.ask_question import Asking
from mesh.cli.exit_codes import ExitCode
from mesh.cli.failures import finish, report
from mesh.cli.mesh_views import StartView
from mesh.cli.options import DataOption, JsonOption
from mesh.cli.output import Output
from mesh.cli.question import read_question
from mesh.cli.session import open_session
from mesh.cli.troubles import ask_for_troubles, tell_troubles
from mesh.supervisor.control import start_detached
from mesh.supervisor.domain.mesh_state import MeshState
from mesh.supervisor.main import run
from mesh.supervisor.settings import SupervisorSettings, load_settings
from mesh.supervisor.use_cases.run_mesh import Observers
from protos.gen.nexus.agent.v1 import agent_pb2
from shared.errors import NexusError

app = typer.Typer(add_completion=False)


@app.command()
def up(
    detach: Annotated[bool, typer.Option("--detach", help="Return once the mesh is ready; it goes on.")] = False,
    question: Annotated[str, typer.Option("--ask", help="Ask this first; the mesh goes on serving.")] = "",
    port_base: Annotated[
        int | None,
        typer.Option(help="First TCP port; 0 takes any free ones. Default: 50054.", show_default=False),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(help="Routers that share the port of the HTTP surfaces. Default: 1.", show_default=False),
    ] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Start the mesh: one process per service and one for the local model.

    In front, Ctrl-C stops it gracefully and a second Ctrl-C at once. With --detach, `nexus down` stops it.
    """
    output = Output(as_json=as_json)

    def work() -> ExitCode:
        settings = load_settings(data, port_base, workers)
        query = agent_pb2.QueryAgentRequest(question=read_question(question)) if question else None
        view = StartView(output)
        try:
            if detach:
                return _in_background(settings, view, query, output)
            _in_front(settings, view, query, output)
        finally:
            view.close()
        return ExitCode.OK

    finish(work, as_json=as_json)


def _in_background(
    settings: SupervisorSettings, view: StartView, query: agent_pb2.QueryAgentRequest | None, output: Output
) -> ExitCode:
    view.ready(start_detached(settings, view.update))
    asyncio.run(_tell_troubles(settings.data, output))
    if query is None:
        return ExitCode.OK
    return asyncio.run(Asking(open_session(settings.data), query, output).run_until_interrupted())


def _in_front(
    settings: SupervisorSettings, view: StartView, query: agent_pb2.QueryAgentRequest | None, output: Output
) -> None:
    async def ready(state: MeshState) -> None:
        view.ready(state)
        await _tell_troubles(settings.data, output)
        if query is not None:
            await _ask(settings.data, query, output)
        output.note("Serving. Ctrl-C stops the mesh; `nexus ask` in another shell asks it something.")

    run(settings, Observers(on_change=view.update, on_ready=ready))
    output.note("Stopped.")


async def _tell_troubles(data: Path, output: Output) -> None:
    """Say what of the configuration is not in force: the mesh serves without it."""
    tell_troubles(await ask_for_troubles(open_session(data), output), output)


async def _ask(data: Path, query: agent_pb2.QueryAgentRequest, output: Output) -> None:
    """Ask, and say what went wrong if something does: the mesh serves on either way."""
    output.note(f"? {query.question}", "bold")
    try:
        await Asking(open_session(data), query, output).run()
    except NexusError as error:
        report(error, as_json=output.as_json, trace_id=error.metadata.get("trace_id", ""))
