"""The events of a run, in order: one Started, any OutputChunk, one Finished."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from sandbox_service.domain.outcome import Status

MAX_CHUNK_BYTES = 32 << 10
"""Most bytes in one OutputChunk."""


class Stream(Enum):
    """Where a program wrote."""

    STDOUT = "stdout"
    STDERR = "stderr"


@dataclass(frozen=True, slots=True)
class Started:
    """The program runs.

    Attributes:
        execution_id: UUIDv7 of the run.
    """

    execution_id: str


@dataclass(frozen=True, slots=True)
class OutputChunk:
    """Bytes that the program wrote, 1 to MAX_CHUNK_BYTES of them; a character may be cut in two."""

    stream: Stream
    data: bytes


@dataclass(frozen=True, slots=True)
class Finished:
    """The program ended; always the last event.

    Attributes:
        status: how, from the kernel's truth.
        exit_code: 0 to 255; -1 when a signal ended it.
        signal: the signal that ended it, 0 for none.
        wall_time_s: seconds from its start to its end.
        cpu_time_s: CPU seconds of the whole process tree, its interpreter's start included.
        peak_memory_bytes: most memory in use at a time; 0 where the host cannot tell.
        output_truncated: whether it wrote more than was passed on.
    """

    status: Status
    exit_code: int
    signal: int
    wall_time_s: float
    cpu_time_s: float
    peak_memory_bytes: int
    output_truncated: bool


RunEvent = Started | OutputChunk | Finished
