"""The state machine of one supervised process.

    stopped, backoff            -> starting             a process was started
    starting, unhealthy         -> ready                it serves
    ready                       -> unhealthy            it does not
    starting, ready, unhealthy  -> backoff or failed    it ended or hangs; failed when it never worked
    any                         -> stopping -> stopped  the mesh stops

Transitions are pure functions from a status to the next; each refuses a status that it does not fit.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from mesh.supervisor.domain.restart_policy import RestartPolicy


class ProcessState(StrEnum):
    """Where a supervised process stands."""

    STARTING = "starting"
    READY = "ready"
    UNHEALTHY = "unhealthy"
    BACKOFF = "backoff"
    FAILED = "failed"
    STOPPING = "stopping"
    STOPPED = "stopped"


class Health(StrEnum):
    """What a health check found."""

    SERVING = "serving"
    NOT_SERVING = "not_serving"
    SILENT = "silent"


_ALIVE = frozenset({ProcessState.STARTING, ProcessState.READY, ProcessState.UNHEALTHY, ProcessState.STOPPING})


class WrongTransitionError(ValueError):
    """A transition was asked of a status that it does not fit: a defect of the supervisor."""


@dataclass(frozen=True, slots=True)
class ProcessStatus:
    """What is known of one process.

    Attributes:
        name: the process.
        state: where it stands.
        pid: its process id; None while there is no process.
        restarts: how often it was started again.
        crashes_in_a_row: crashes since it was last healthy for long enough.
        ever_ready: whether it was ever healthy under this supervisor.
        started_at: wall time of the newest start, UTC.
        launched_s: monotonic seconds of the newest start.
        ready_after_s: seconds from the newest start until it was healthy; None while it is not.
        healthy_since_s: monotonic seconds since when it is healthy; None while it is not.
        last_exit: how it last ended, for people; empty for never.
    """

    name: str
    state: ProcessState = ProcessState.STOPPED
    pid: int | None = None
    restarts: int = 0
    crashes_in_a_row: int = 0
    ever_ready: bool = False
    started_at: datetime | None = None
    launched_s: float = 0.0
    ready_after_s: float | None = None
    healthy_since_s: float | None = None
    last_exit: str = ""

    @property
    def alive(self) -> bool:
        """Whether there is a process."""
        return self.state in _ALIVE


def launched(status: ProcessStatus, pid: int, at: datetime, now_s: float) -> ProcessStatus:
    """Return the status after process `pid` was started at `at`, monotonic `now_s`."""
    _require(status, ProcessState.STOPPED, ProcessState.BACKOFF)
    restarted = status.state is ProcessState.BACKOFF
    return replace(
        status,
        state=ProcessState.STARTING,
        pid=pid,
        restarts=status.restarts + int(restarted),
        started_at=at,
        launched_s=now_s,
        ready_after_s=None,
        healthy_since_s=None,
    )


def checked(status: ProcessStatus, health: Health, now_s: float) -> ProcessStatus:
    """Return the status after a health check; the same object when nothing changed."""
    _require(status, ProcessState.STARTING, ProcessState.READY, ProcessState.UNHEALTHY)
    if health is Health.SERVING:
        if status.state is ProcessState.READY:
            return status
        first = status.ready_after_s is None
        return replace(
            status,
            state=ProcessState.READY,
            ever_ready=True,
            ready_after_s=now_s - status.launched_s if first else status.ready_after_s,
            healthy_since_s=now_s,
        )
    if status.state is ProcessState.READY:
        return replace(status, state=ProcessState.UNHEALTHY, healthy_since_s=None)
    return status


def ended(status: ProcessStatus, how: str, now_s: float, policy: RestartPolicy) -> ProcessStatus:
    """Return the status after the process ended, was killed for hanging, or could not be started; `how` says it."""
    if status.state in {ProcessState.STOPPING, ProcessState.FAILED}:
        raise WrongTransitionError(f"{status.name} is {status.state} and ended: {how}")
    healthy_s = 0.0 if status.healthy_since_s is None else now_s - status.healthy_since_s
    crashes = 1 if healthy_s >= policy.reset_after_s else status.crashes_in_a_row + 1
    gives_up = policy.gives_up(crashes, ever_ready=status.ever_ready)
    return replace(
        status,
        state=ProcessState.FAILED if gives_up else ProcessState.BACKOFF,
        pid=None,
        crashes_in_a_row=crashes,
        healthy_since_s=None,
        last_exit=how,
    )


def stopping(status: ProcessStatus) -> ProcessStatus:
    """Return the status once the process is asked to stop; a process that is not there is stopped at once."""
    if status.alive:
        return replace(status, state=ProcessState.STOPPING, healthy_since_s=None)
    return stopped(status)


def stopped(status: ProcessStatus) -> ProcessStatus:
    """Return the status once there is no process any more; a failure stays visible."""
    if status.state is ProcessState.FAILED:
        return status
    return replace(status, state=ProcessState.STOPPED, pid=None, healthy_since_s=None)


def _require(status: ProcessStatus, *states: ProcessState) -> None:
    if status.state not in states:
        raise WrongTransitionError(f"{status.name} is {status.state}, not one of {', '.join(states)}")
