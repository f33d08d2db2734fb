"""The supervisor in the background: tells who started it, through a pipe, how the start went; then it only logs."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from mesh.supervisor.domain.mesh_state import MeshState, ProcessEntry
from mesh.supervisor.domain.process_status import ProcessState
from mesh.supervisor.main import run
from mesh.supervisor.settings import load_settings
from mesh.supervisor.use_cases.run_mesh import Observers
from shared.errors import NexusError


class _Report:
    """One JSON object on a descriptor: empty when ready, reason and message when not. Written once."""

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor

    def send(self, content: dict[str, str]) -> None:
        """Write the report and close the descriptor. A reader that is gone does not matter."""
        if self._descriptor is None:
            return
        with suppress(BrokenPipeError):
            os.write(self._descriptor, json.dumps(content).encode())
        os.close(self._descriptor)
        self._descriptor = None


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the mesh; return 0 after a stop that was asked for, 1 when it could not start."""
    parser = argparse.ArgumentParser(prog="python -m mesh.supervisor", description=__doc__)
    parser.add_argument("--data", type=Path, default=None)
    parser.add_argument("--port-base", type=int, default=None)
    parser.add_argument("--workers", type=int, default=None)
    parser.add_argument("--report-fd", type=int, default=None, help="descriptor for the outcome of the start")
    options = parser.parse_args(arguments)
    report = _Report(options.report_fd)

    async def ready(state: MeshState) -> None:
        del state
        report.send({})

    try:
        settings = load_settings(options.data, options.port_base, options.workers)
        run(settings, Observers(on_change=_StateLog().note, on_ready=ready))
    except NexusError as error:
        report.send({"reason": error.reason, "message": error.message})
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


class _StateLog:
    """Writes a line of JSON, in the shape of the services' logs, each time a process changes its state."""

    def __init__(self) -> None:
        self._known: dict[str, ProcessState] = {}

    def note(self, state: MeshState) -> None:
        """Write what is new."""
        for entry in state.services:
            if self._known.get(entry.name) is not entry.state:
                self._known[entry.name] = entry.state
                self._write(entry)

    @staticmethod
    def _write(entry: ProcessEntry) -> None:
        line = {
            "event": "process_state",
            "service": "supervisor",
            "process": entry.name,
            "state": entry.state,
            "pid": entry.pid,
            "restarts": entry.restarts,
            "last_exit": entry.last_exit,
            "timestamp": datetime.now(UTC).isoformat(),
        }
        # A full disk must not take the mesh down.
        with suppress(OSError):
            sys.stdout.write(json.dumps(line) + "\n")
            sys.stdout.flush()
