"""`nexus version`: what is installed."""

from __future__ import annotations

import platform
from importlib.metadata import version as installed

import typer

from mesh.cli.failures import finish
from mesh.cli.options import DataOption, JsonOption
from mesh.cli.output import Output

app = typer.Typer(add_completion=False)
_PARTS = ("grpcio", "protobuf", "langgraph", "xllamacpp")


@app.command()
def version(data: DataOption = None, as_json: JsonOption = False) -> None:
    """Show the versions of Nexus, Python and the parts that matter most."""
    del data
    output = Output(as_json=as_json)

    def work() -> None:
        versions = {"nexus": installed("nexus-mesh"), "python": platform.python_version()}
        versions |= {part: installed(part) for part in _PARTS}
        if as_json:
            output.json_value(versions)
        else:
            for name, number in versions.items():
                output.line(f"{name} {number}")

    finish(work, as_json=as_json)
