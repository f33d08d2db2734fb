"""`nexus status`: the processes of the mesh, and what of the configuration is not in force."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import typer

from mesh.cli.checks.gateway import MCP_PATH, gateway_problem
from mesh.cli.exit_codes import ExitCode
from mesh.cli.failures import finish
from mesh.cli.options import DataOption, JsonOption
from mesh.cli.output import Output
from mesh.cli.process_memory import mebibytes, memory_of
from mesh.cli.session import open_session
from mesh.cli.settings import load_cli_settings
from mesh.cli.troubles import ask_for_troubles, tell_troubles, troubles_json
from mesh.supervisor.control import running_mesh
from mesh.supervisor.domain.mesh_state import MeshPhase, MeshState
from mesh.supervisor.domain.process_status import ProcessState
from protos.gen.nexus.router.v1 import router_pb2
from shared.errors import PreconditionFailed

app = typer.Typer(add_completion=False)
ROUTER = "router"
_COLUMNS = ("service", "state", "pid", "restarts", "memory", "address", "last exit")


@app.command()
def status(data: DataOption = None, as_json: JsonOption = False) -> None:
    """Show the processes of the mesh. Exit code 0 when all are ready, 1 when not, 3 when no mesh runs."""
    output = Output(as_json=as_json)

    def work() -> ExitCode:
        settings = load_cli_settings(data)
        mesh = running_mesh(settings.layout)
        if mesh is None:
            raise PreconditionFailed("MESH_NOT_RUNNING", f"No mesh runs on {settings.data}. Start it with `nexus up`.")
        troubles = _troubles(mesh, data, output)
        _show(mesh, troubles, output)
        return ExitCode.OK if mesh.phase is MeshPhase.READY else ExitCode.FAILED

    finish(work, as_json=as_json)


def _shown_path(data_dir: str) -> str:
    """Return the path from here when it lies below, else the whole one."""
    near = os.path.relpath(data_dir)
    return data_dir if near.startswith(os.pardir) else near


def _troubles(mesh: MeshState, data: Path | None, output: Output) -> router_pb2.ListProvidersResponse:
    """Return what the router says of the configuration; nothing while it is not ready."""
    router = mesh.service(ROUTER)
    if router is None or router.state is not ProcessState.READY:
        return router_pb2.ListProvidersResponse()
    return asyncio.run(ask_for_troubles(open_session(data), output))


def _show(mesh: MeshState, troubles: router_pb2.ListProvidersResponse, output: Output) -> None:
    memory = {entry.name: memory_of(entry.pid) for entry in mesh.services}
    supervisor = memory_of(mesh.supervisor_pid, family=False)
    total = sum(memory.values(), supervisor)
    if output.as_json:
        content: dict[str, Any] = mesh.model_dump(mode="json")
        for entry in content["services"]:
            entry["rss_bytes"] = memory[entry["name"]].rss_bytes
            entry["pss_bytes"] = memory[entry["name"]].pss_bytes
        content["supervisor_rss_bytes"] = supervisor.rss_bytes
        content["pss_bytes"] = total.pss_bytes
        output.json_value(content | troubles_json(troubles))
        return
    rows = [
        (e.name, e.state, e.pid, e.restarts, mebibytes(memory[e.name].rss_bytes), e.tcp_address, e.last_exit)
        for e in mesh.services
    ]
    output.table(_COLUMNS, rows, "No processes.")
    output.note(
        f"{mesh.phase} · supervisor {mesh.supervisor_pid} with {mebibytes(supervisor.rss_bytes)} · "
        f"{mebibytes(total.pss_bytes)} in all, shared pages counted once · "
        f"{_shown_path(mesh.data_dir)}"
    )
    for address, path in ((mesh.http_address, ""), (mesh.mcp_address, MCP_PATH)):
        if address:
            problem = gateway_problem(address)
            output.note(f"http://{address}{path} · {problem or 'answers'}", "red" if problem else "dim")
    tell_troubles(troubles, output)
