"""A program that was run, and how that is told."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class CodeStatus(Enum):
    """How a program ended."""

    OK = "ok"
    """It exited with code 0."""
    ERROR = "error"
    """It exited with another code or died of a signal."""
    TIMEOUT = "timeout"
    """It was killed at the time limit."""
    OUT_OF_MEMORY = "out_of_memory"
    """It was killed at the memory limit."""
    OUTPUT_LIMIT = "output_limit"
    """It was killed at the output limit."""
    KILLED = "killed"
    """It was killed because the sandbox stops."""


@dataclass(frozen=True, slots=True)
class Program:
    """A program to run.

    Args:
        code: Python source, 1 byte to 1 MiB.
        stdin: what it reads.
        wall_time_s: longest time it may take.
        timeout_s: longest time to wait for the answer, more than `wall_time_s`.
        request_id: for tracing.
    """

    code: str
    stdin: str
    wall_time_s: float
    timeout_s: float
    request_id: str


@dataclass(frozen=True, slots=True)
class CodeRun:
    """How a program ended and what it printed.

    Args:
        status: how it ended.
        exit_code: its exit code; -1 when a signal ended it.
        stdout: what it printed, undecodable bytes replaced.
        stderr: what it printed as errors, undecodable bytes replaced.
        wall_time_s: how long it took.
    """

    status: CodeStatus
    exit_code: int
    stdout: str
    stderr: str
    wall_time_s: float


_REASONS = {
    CodeStatus.ERROR: "CODE_FAILED",
    CodeStatus.TIMEOUT: "CODE_TIMEOUT",
    CodeStatus.OUT_OF_MEMORY: "CODE_OUT_OF_MEMORY",
    CodeStatus.OUTPUT_LIMIT: "CODE_OUTPUT_LIMIT",
    CodeStatus.KILLED: "CODE_KILLED",
}
_TOLD_CHARS = 2_000


def failure_reason(status: CodeStatus) -> str | None:
    """Return the reason under which a program that ended with `status` failed; None when it did not."""
    return _REASONS.get(status)


def told(run: CodeRun) -> str:
    """Return in a few words how `run` ended, with the part of its output that helps most."""
    if run.status is CodeStatus.OK:
        printed = run.stdout.strip("\n")
        return (
            f"It printed:\n{_head(printed)}" if printed else "It ran and printed nothing. Print what you want to see."
        )
    ended = {
        CodeStatus.ERROR: f"The program failed with exit code {run.exit_code}.",
        CodeStatus.TIMEOUT: f"The program was stopped at the time limit, after {run.wall_time_s:.1f} s.",
        CodeStatus.OUT_OF_MEMORY: "The program was stopped at the memory limit.",
        CodeStatus.OUTPUT_LIMIT: "The program was stopped because it printed too much.",
        CodeStatus.KILLED: "The program was stopped because the sandbox shuts down. Try again.",
    }[run.status]
    errors = run.stderr.strip("\n")
    return f"{ended} The end of its error output:\n{_tail(errors)}" if errors else ended


def without_fence(code: str) -> str:
    """Return `code` without the Markdown fence that models put around it."""
    lines = code.strip("\r\n").split("\n")
    if len(lines) >= 2 and lines[0].strip().startswith("```") and lines[-1].strip() == "```":
        return "\n".join(lines[1:-1])
    return code


def _head(text: str) -> str:
    return text if len(text) <= _TOLD_CHARS else f"{text[:_TOLD_CHARS]}… (more in the output)"


def _tail(text: str) -> str:
    return text if len(text) <= _TOLD_CHARS else f"…{text[-_TOLD_CHARS:]}"
