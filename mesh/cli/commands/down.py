"""`nexus down`: stops the mesh."""

from __future__ import annotations

from typing import Annotated

import typer

from mesh.cli.exit_codes import ExitCode
from mesh.cli.failures import finish
from mesh.cli.options import DataOption, JsonOption
from mesh.cli.output import Output
from mesh.cli.settings import load_cli_settings
from mesh.supervisor.control import stop_mesh

app = typer.Typer(add_completion=False)
_PATIENCE_S = 30.0


@app.command()
def down(
    force: Annotated[bool, typer.Option("--force", help="Kill it instead of asking.")] = False,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Stop the mesh and wait until all its processes have ended. Stopping what does not run is no error."""
    output = Output(as_json=as_json)

    def work() -> ExitCode:
        settings = load_cli_settings(data)
        pid = stop_mesh(settings.layout, _PATIENCE_S, at_once=force)
        if as_json:
            output.json_value({"stopped": pid is not None, "supervisor_pid": pid})
        elif pid is None:
            output.line(f"No mesh runs on {settings.data}.")
        else:
            output.line(f"Stopped the mesh (pid {pid}).")
        return ExitCode.OK

    finish(work, as_json=as_json)
