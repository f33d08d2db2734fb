"""Starts the processes of a run on cores of their choice, and ends them whatever happens."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

FILES = 20_000
_START_S = 90.0
_END_S = 5.0
_POLL_S = 0.05
_LIBC = ctypes.CDLL(None, use_errno=True)


class NotStartedError(RuntimeError):
    """A process ended, or did not listen in time; the message holds the end of its log."""


@dataclass(frozen=True, slots=True)
class Cores:
    """Which processors whom: what is measured has one for itself; load and upstream have the others."""

    load: frozenset[int]
    measured: frozenset[int]


def cores() -> Cores:
    """Return how the processors of this process are shared; both have all where there is only one."""
    mine = sorted(os.sched_getaffinity(0))
    return Cores(frozenset(mine[:-1] or mine), frozenset(mine[-1:]))


def free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def raise_file_limit() -> None:
    """Let this process, and those that it starts, have as many files open as thousands of streams need."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


@contextmanager
def child(
    command: Sequence[str],
    log: Path,
    ports: Sequence[int],
    on: frozenset[int],
    environment: Mapping[str, str] | None = None,
    says: bytes = b"",
) -> Generator[psutil.Process]:
    """Run a process until the block ends, in a session of its own: Ctrl-C reaches this process alone, which ends it.

    Args:
        command: The program and its arguments.
        log: Where its output goes.
        ports: Of loopback, on which it listens once it is ready.
        on: The processors that it may use.
        environment: Its environment; this process's by default.
        says: Is in its log once it is ready.

    Raises:
        NotStartedError: It ended, or did not listen in time.
    """
    with log.open("wb") as out, on_cores(on):
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=environment, start_new_session=True
        )
    try:
        for port in ports:
            _wait(process, lambda port=port: _listens(port), log)
        _wait(process, lambda: says in log.read_bytes(), log)
        yield psutil.Process(process.pid)
    finally:
        end(process)


@contextmanager
def on_cores(chosen: frozenset[int]) -> Generator[None]:
    """Keep what is started within the block on those processors: its threads are there from the first one on."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, chosen)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process and all that it started."""
    for signum in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signum)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_END_S)
            break
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def tree(process: psutil.Process) -> list[psutil.Process]:
    """Return a process and all below it."""
    return [process, *process.children(recursive=True)]


def cpu_s(processes: Sequence[psutil.Process]) -> float:
    """Return the user and system time of all threads of the processes so far, in seconds.

    It is the sum that `/proc/<pid>/stat` has in hundredths of a second; the clock tells it in nanoseconds.
    """
    return sum(_cpu_s(each.pid) for each in processes)


def rss_bytes(processes: Sequence[psutil.Process]) -> int:
    """Return the resident memory of the processes."""
    return sum(each.memory_info().rss for each in processes)


def _cpu_s(pid: int) -> float:
    clock = ctypes.c_int()
    if _LIBC.clock_getcpuclockid(pid, ctypes.byref(clock)):
        raise psutil.NoSuchProcess(pid)
    return time.clock_gettime_ns(clock.value) / 1e9


def _wait(process: subprocess.Popen[bytes], is_ready: Callable[[], bool], log: Path) -> None:
    deadline = time.monotonic() + _START_S
    while not is_ready():
        if process.poll() is not None or time.monotonic() > deadline:
            tail = log.read_text(errors="replace")[-2000:]
            raise NotStartedError(f"{process.args!r} is not ready:\n{tail}")
        time.sleep(_POLL_S)


def _listens(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0
