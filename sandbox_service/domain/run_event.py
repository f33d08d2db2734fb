"""The events of a run or a cell, in order: one Started, any output and results, then files, one Finished."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from sandbox_service.domain.outcome import Status

MAX_CHUNK_BYTES = 32 << 10
"""Most bytes in one OutputChunk."""
MAX_PIECE_BYTES = 256 << 10
"""Most bytes in one FilePiece."""
MEDIA_TYPES = frozenset({"text/plain", "application/json", "text/html", "image/png"})
"""What a RichOutput may have."""


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
class MediaData:
    """One form of a value.

    Attributes:
        media_type: one of MEDIA_TYPES.
        data: its bytes; UTF-8 unless it is an image.
    """

    media_type: str
    data: bytes


@dataclass(frozen=True, slots=True)
class RichOutput:
    """Something to look at: a last expression's value, a figure, a table. It is the program's word, never truth.

    Attributes:
        forms: the same in several media types, at least one.
    """

    forms: tuple[MediaData, ...]


@dataclass(frozen=True, slots=True)
class FilePiece:
    """A piece of a file that was asked for.

    Attributes:
        path: relative to the workspace.
        size_bytes: of the whole file.
        offset: where the piece begins.
        data: at most MAX_PIECE_BYTES.
        media_type: by name and first bytes.
    """

    path: str
    size_bytes: int
    offset: int
    data: bytes
    media_type: str


@dataclass(frozen=True, slots=True)
class SkippedFile:
    """A file that was asked for and is not returned.

    Attributes:
        path: its path or pattern.
        reason: `not_found`, `not_regular`, `linked`, `not_permitted`, `too_large`, `too_many` or `path_invalid`.
    """

    path: str
    reason: str


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
        skipped_files: files that were asked for and are not returned.
    """

    status: Status
    exit_code: int
    signal: int
    wall_time_s: float
    cpu_time_s: float
    peak_memory_bytes: int
    output_truncated: bool
    skipped_files: tuple[SkippedFile, ...] = ()


RunEvent = Started | OutputChunk | RichOutput | FilePiece | Finished
