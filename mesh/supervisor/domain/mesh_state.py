"""The state of a whole mesh, as `run/mesh.json` keeps it and `nexus status` shows it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from mesh.supervisor.domain.process_spec import ProcessSpec
from mesh.supervisor.domain.process_status import ProcessState, ProcessStatus
from mesh.supervisor.domain.services import MCP, ROUTER

FORMAT_VERSION = 1


class MeshPhase(StrEnum):
    """Where the mesh as a whole stands."""

    STARTING = "starting"
    READY = "ready"
    DEGRADED = "degraded"
    FAILED = "failed"
    STOPPING = "stopping"


class ProcessEntry(BaseModel):
    """One process in the state file. `ready_s` is seconds from its newest start until it was healthy."""

    model_config = ConfigDict(frozen=True)

    name: str
    state: ProcessState
    pid: int | None = None
    restarts: int = Field(0, ge=0)
    address: str
    tcp_address: str = ""
    metrics_address: str = ""
    http_address: str = ""
    started_at: datetime | None = None
    ready_s: float | None = None
    last_exit: str = ""
    log_file: str


class MeshState(BaseModel):
    """The mesh. `socket_dir` is set when the sockets had to live outside the data directory."""

    model_config = ConfigDict(frozen=True)

    version: int = FORMAT_VERSION
    phase: MeshPhase
    supervisor_pid: int
    started_at: datetime
    data_dir: str
    socket_dir: str = ""
    services: tuple[ProcessEntry, ...]

    @property
    def http_address(self) -> str:
        """Where the HTTP surfaces are, `host:port`; empty where they are nowhere."""
        return self._http_address_of(ROUTER)

    @property
    def mcp_address(self) -> str:
        """Where the MCP endpoint is, `host:port`; empty where it is nowhere."""
        return self._http_address_of(MCP)

    def _http_address_of(self, name: str) -> str:
        entry = self.service(name)
        return entry.http_address if entry else ""

    def service(self, name: str) -> ProcessEntry | None:
        """Return the process called `name`, or None."""
        return next((entry for entry in self.services if entry.name == name), None)


def entry_of(spec: ProcessSpec, status: ProcessStatus) -> ProcessEntry:
    """Return what the state file says of one process."""
    return ProcessEntry(
        name=spec.name,
        state=status.state,
        pid=status.pid,
        restarts=status.restarts,
        address=spec.address,
        tcp_address=spec.tcp_address,
        metrics_address=spec.metrics_address,
        http_address=spec.http_address,
        started_at=status.started_at,
        ready_s=None if status.ready_after_s is None else round(status.ready_after_s, 3),
        last_exit=status.last_exit,
        log_file=str(spec.log_file),
    )


def phase_of(statuses: Mapping[str, ProcessStatus], *, was_ready: bool, stopping: bool) -> MeshPhase:
    """Return the phase of a mesh whose processes are in `statuses`.

    A mesh is starting until all its processes were ready once; after that, one that is not ready degrades it.
    """
    states = {status.state for status in statuses.values()}
    if stopping:
        return MeshPhase.STOPPING
    if states == {ProcessState.READY}:
        return MeshPhase.READY
    if was_ready:
        return MeshPhase.DEGRADED
    return MeshPhase.FAILED if ProcessState.FAILED in states else MeshPhase.STARTING


def parse_state(text: str) -> MeshState:
    """Return the state that `text`, the content of the state file, holds.

    Raises:
        ValueError: when it is not a state file of this format.
    """
    return MeshState.model_validate_json(text)
