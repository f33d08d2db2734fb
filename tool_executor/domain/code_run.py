"""A program that is run, what comes of it, and how its end is told."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class CodeLanguage(Enum):
    """What a program is written in."""

    PYTHON = "python"
    SHELL = "shell"


class CodeStatus(Enum):
    """How a program ended."""

    OK = "ok"
    """It exited with code 0."""
    ERROR = "error"
    """It exited with another code or died of a signal."""
    TIMEOUT = "timeout"
    """It was stopped at the time limit."""
    OUT_OF_MEMORY = "out_of_memory"
    """It was killed at the memory limit."""
    OUTPUT_LIMIT = "output_limit"
    """It was stopped at the output limit."""
    KILLED = "killed"
    """It was killed because the sandbox stops."""
    POLICY = "policy"
    """The kernel killed it for a system call that no program may make."""


@dataclass(frozen=True, slots=True)
class Program:
    """A program to run, or a cell of a session.

    Args:
        code: its source, 1 byte to 1 MiB.
        stdin: what it reads.
        wall_time_s: longest time it may take.
        timeout_s: longest time to wait for the answer, more than `wall_time_s`.
        request_id: for tracing.
        language: what it is written in.
    """

    code: str
    stdin: str
    wall_time_s: float
    timeout_s: float
    request_id: str
    language: CodeLanguage = CodeLanguage.PYTHON


@dataclass(frozen=True, slots=True)
class Form:
    """One form of a value that a program shows.

    Args:
        media_type: `text/plain`, `application/json`, `text/html` or `image/png`.
        data: its bytes; anything, since they come from the program.
    """

    media_type: str
    data: bytes


@dataclass(frozen=True, slots=True)
class CodeRun:
    """How a program ended, what it printed and what it showed.

    Args:
        status: how it ended.
        exit_code: its exit code; -1 when a signal ended it.
        stdout: what it printed, undecodable bytes replaced.
        stderr: what it printed as errors, undecodable bytes replaced.
        wall_time_s: how long it took.
        shown: values, pictures and tables, each in its forms, the richest last.
        output_cut: whether it printed more than is told.
        session_ended: whether its session is gone with it.
    """

    status: CodeStatus
    exit_code: int
    stdout: str
    stderr: str
    wall_time_s: float
    shown: tuple[tuple[Form, ...], ...] = ()
    output_cut: bool = False
    session_ended: bool = False


_REASONS = {
    CodeStatus.ERROR: "CODE_FAILED",
    CodeStatus.TIMEOUT: "CODE_TIMEOUT",
    CodeStatus.OUT_OF_MEMORY: "CODE_OUT_OF_MEMORY",
    CodeStatus.OUTPUT_LIMIT: "CODE_OUTPUT_LIMIT",
    CodeStatus.KILLED: "CODE_KILLED",
    CodeStatus.POLICY: "CODE_REFUSED",
}
_TOLD_CHARS = 2_000
_PRINTED_CHARS = 1_000


def failure_reason(status: CodeStatus) -> str | None:
    """Return the reason under which a program that ended with `status` failed; None when it did not."""
    return _REASONS.get(status)


def told(run: CodeRun, values: str = "") -> str:
    """Return in a few words how `run` ended, with the part of its output that helps most; empty when nothing came.

    Args:
        run: how it ended.
        values: what it showed, as text.
    """
    if run.status is CodeStatus.OK:
        printed = run.stdout.strip("\n")
        parts = (
            f"It printed:\n{_head(printed)}" if printed else "",
            f"Its value:\n{_head(values)}" if values else "",
        )
        return "\n".join(part for part in parts if part)
    ended = {
        CodeStatus.ERROR: f"The program failed with exit code {run.exit_code}.",
        CodeStatus.TIMEOUT: f"The program was stopped at the time limit, after {run.wall_time_s:.1f} s.",
        CodeStatus.OUT_OF_MEMORY: "The program was stopped at the memory limit.",
        CodeStatus.OUTPUT_LIMIT: "The program was stopped because it printed too much.",
        CodeStatus.KILLED: "The program was stopped because the sandbox shuts down. Try again.",
        CodeStatus.POLICY: "The program was stopped for a system call that no program may make.",
    }[run.status]
    printed, errors = run.stdout.strip("\n"), run.stderr.strip("\n")
    parts = (
        ended,
        f"The end of what it printed:\n{_tail(printed, _PRINTED_CHARS)}" if printed else "",
        f"The end of its error output:\n{_tail(errors, _TOLD_CHARS)}" if errors else "",
    )
    return "\n".join(part for part in parts if part)


def without_fence(code: str) -> str:
    """Return `code` without the Markdown fence that models put around it."""
    lines = code.strip("\r\n").split("\n")
    if len(lines) >= 2 and lines[0].strip().startswith("```") and lines[-1].strip() == "```":
        return "\n".join(lines[1:-1])
    return code


def _head(text: str) -> str:
    return text if len(text) <= _TOLD_CHARS else f"{text[:_TOLD_CHARS]}… (more in the output)"


def _tail(text: str, most: int) -> str:
    return text if len(text) <= most else f"…{text[-most:]}"
