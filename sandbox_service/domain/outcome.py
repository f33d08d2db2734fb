"""How a run ended, and how that follows from what the kernel says."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Status(Enum):
    """How a program ended."""

    OK = "ok"
    ERROR = "error"
    TIMEOUT = "timeout"
    OUT_OF_MEMORY = "out_of_memory"
    OUTPUT_LIMIT = "output_limit"
    KILLED = "killed"
    POLICY = "policy"


class KillReason(Enum):
    """Why the supervisor ended a run before its time."""

    WALL_TIME = "wall_time"
    OUTPUT = "output"
    MEMORY = "memory"
    ABANDONED = "abandoned"
    CANCELLED = "cancelled"


_SIGSYS = 31
"""With which the kernel kills who makes a system call that no program may make."""
_STATUS_OF_KILL = {
    KillReason.WALL_TIME: Status.TIMEOUT,
    KillReason.OUTPUT: Status.OUTPUT_LIMIT,
    KillReason.MEMORY: Status.OUT_OF_MEMORY,
    KillReason.ABANDONED: Status.KILLED,
    KillReason.CANCELLED: Status.KILLED,
}


@dataclass(frozen=True, slots=True)
class Ending:
    """What the kernel and the supervisor know about the end of a run; nothing in it comes from the program's output.

    Attributes:
        exit_code: 0 to 255, or -1 when a signal ended the program.
        signal: the signal that ended it, 0 for none.
        out_of_memory_kills: processes that the kernel killed at the memory limit.
        kill_reason: why the supervisor killed it; None when it did not.
    """

    exit_code: int
    signal: int
    out_of_memory_kills: int = 0
    kill_reason: KillReason | None = None


def status_of(ending: Ending) -> Status:
    """Return the status of a run that ended with `ending`.

    A program whose child was killed for memory, and that then ended well, is OK: it coped.
    """
    if ending.kill_reason is not None:
        return _STATUS_OF_KILL[ending.kill_reason]
    if ending.exit_code == 0:
        return Status.OK
    if ending.out_of_memory_kills:
        return Status.OUT_OF_MEMORY
    if ending.signal == _SIGSYS:
        return Status.POLICY
    return Status.ERROR
