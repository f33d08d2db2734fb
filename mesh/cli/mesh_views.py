"""Shows the processes of a mesh: while they come up, once they are ready, and when one of them falls."""

from __future__ import annotations

from rich.live import Live
from rich.table import Table

from mesh.cli.checks.gateway import MCP_PATH
from mesh.cli.output import Output, cell
from mesh.supervisor.domain.mesh_state import MeshPhase, MeshState, ProcessEntry
from mesh.supervisor.domain.process_status import ProcessState


def readiness_table(state: MeshState) -> Table:
    """Return the table of `nexus up`: service, pid, address, state, seconds until ready."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("service", "pid", "address", "metrics"):
        table.add_column(column, no_wrap=True)
    table.add_column("state", no_wrap=True)
    table.add_column("ready after", justify="right", no_wrap=True)
    for entry in state.services:
        seconds = "" if entry.ready_s is None else f"{entry.ready_s:.2f} s"
        values = (entry.name, entry.pid, entry.tcp_address, entry.metrics_address, entry.state, seconds)
        table.add_row(*(cell(value) for value in values))
    return table


class StartView:
    """Follows a start. On a terminal the table moves; elsewhere it is printed once, at the end."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._live: Live | None = None
        self._known: dict[str, ProcessEntry] = {}
        self._started = False
        self._stopping = False

    def update(self, state: MeshState) -> None:
        """Show a change: in the table until the mesh is ready, as a line afterwards."""
        if self._started and state.phase is MeshPhase.STOPPING:
            self._note_stopping()
        elif self._started:
            self._note_changes(state)
        elif self._output.out.is_terminal and not self._output.as_json:
            if self._live is None:
                self._live = Live(console=self._output.out, auto_refresh=False)
                self._live.start()
            self._live.update(readiness_table(state), refresh=True)

    def ready(self, state: MeshState) -> None:
        """Show the mesh once it is ready."""
        self._started = True
        self._known = {entry.name: entry for entry in state.services}
        if self._output.as_json:
            self._output.json_value(state.model_dump(mode="json"))
        elif self._live is not None:
            self._live.update(readiness_table(state), refresh=True)
            self.close()
        else:
            self._output.out.print(readiness_table(state))
        if state.http_address and not self._output.as_json:
            self._output.note(f"OpenAI's and Anthropic's clients find it at http://{state.http_address}")
        if state.mcp_address and not self._output.as_json:
            self._output.note(f"MCP clients find it at http://{state.mcp_address}{MCP_PATH}")

    def close(self) -> None:
        """Give the terminal back. Idempotent."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _note_stopping(self) -> None:
        if not self._stopping:
            self._stopping = True
            self._output.note("Stopping ...")

    def _note_changes(self, state: MeshState) -> None:
        for entry in state.services:
            before = self._known.get(entry.name)
            self._known[entry.name] = entry
            if before is None or before.state is entry.state:
                continue
            if entry.state is ProcessState.BACKOFF:
                self._output.note(f"{entry.name}: {entry.last_exit}. Starting it again ...", "yellow")
            elif entry.state is ProcessState.UNHEALTHY:
                self._output.note(f"{entry.name} does not answer as it should.", "yellow")
            elif entry.state is ProcessState.READY:
                self._output.note(f"{entry.name} is ready again.", "green")
