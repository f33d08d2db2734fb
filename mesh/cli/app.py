"""The `nexus` command: a table of commands, each imported when it is called."""

from __future__ import annotations

import io
import sys
from typing import Annotated

import typer

from mesh.cli.lazy_group import Target, lazy_group

_COMMANDS = {
    "up": Target("mesh.cli.commands.up", "Start the mesh."),
    "down": Target("mesh.cli.commands.down", "Stop the mesh."),
    "status": Target("mesh.cli.commands.status", "Show the processes of the mesh."),
    "doctor": Target("mesh.cli.commands.doctor", "Find out what is wrong, and what to do about it."),
    "ask": Target("mesh.cli.commands.ask", "Ask a question and follow the answer."),
    "runs": Target("mesh.cli.commands.runs", "List, show and cancel runs."),
    "conversations": Target("mesh.cli.commands.conversations", "List, show and delete conversations."),
    "providers": Target("mesh.cli.commands.providers", "List the model providers."),
    "models": Target("mesh.cli.commands.models", "List the models."),
    "route": Target("mesh.cli.commands.route", "Show why a model was chosen, and prove it."),
    "usage": Target("mesh.cli.commands.usage", "Show what was used of each model, and what it cost."),
    "budgets": Target("mesh.cli.commands.budgets", "List the budgets and what is left of them."),
    "ledger": Target("mesh.cli.commands.ledger", "List the attempts to call a model."),
    "contracts": Target("mesh.cli.commands.contracts", "List, show and register contracts of services."),
    "cache": Target("mesh.cli.commands.cache", "Remove cached answers."),
    "tools": Target("mesh.cli.commands.tools", "List, find, call, enable and disable tools."),
    "mcp": Target("mesh.cli.commands.mcp", "Add, try, list and remove MCP servers; read what they offer."),
    "sandbox": Target("mesh.cli.commands.sandbox", "Run code in isolation, once or in sessions."),
    "artifacts": Target("mesh.cli.commands.artifacts", "List, show, get, store and delete files that runs left."),
    "knowledge": Target("mesh.cli.commands.knowledge", "Put, list, remove and search what the organisation knows."),
    "settings": Target("mesh.cli.commands.settings_values", "Read and change the organisation's settings."),
    "calendar": Target("mesh.cli.commands.calendars", "Import and show calendars."),
    "version": Target("mesh.cli.commands.version", "Show versions."),
}

app = typer.Typer(
    cls=lazy_group(_COMMANDS),
    name="nexus",
    help="Nexus: a self-hosted mesh for LLM agents. Every command takes --json and --data.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _show_version(*, asked: bool) -> None:
    if asked:
        from importlib.metadata import version  # here: it costs 20 ms, which no other call should pay

        typer.echo(f"nexus {version('nexus-mesh')}")
        raise typer.Exit


@app.callback()
def root(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Nexus: a self-hosted mesh for LLM agents. Every command takes --json and --data."""


def main() -> None:
    """Run the command line. Ends the process with one of the documented exit codes."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # An answer may hold characters that the terminal cannot show; that is no reason to fail.
            stream.reconfigure(errors="replace")
    app(prog_name="nexus")


if __name__ == "__main__":
    main()
