"""Gives processes a share of a processor, by the kernel's control groups of either version."""

from __future__ import annotations

import os
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

_ROOT = Path("/sys/fs/cgroup")
# Short, so that nobody who holds a lock is stopped for long.
_PERIOD_US = 10_000


class NoSharesError(RuntimeError):
    """This user may not give shares of processors here."""


@contextmanager
def share(processes: Sequence[psutil.Process], of_one: float) -> Generator[None]:
    """Let the processes together use so much of one processor until the block ends.

    Raises:
        NoSharesError: It takes root, and control groups for processors.
    """
    group = _group(processes[0].pid)
    made = False
    try:
        group.mkdir()
        made = True
        quota_us = round(_PERIOD_US * of_one)
        if (group / "cpu.max").exists():
            (group / "cpu.max").write_text(f"{quota_us} {_PERIOD_US}")
        else:
            (group / "cpu.cfs_period_us").write_text(str(_PERIOD_US))
            (group / "cpu.cfs_quota_us").write_text(str(quota_us))
        for process in processes:
            (group / "cgroup.procs").write_text(str(process.pid))
    except OSError as error:
        if made:
            _remove(group, processes)
        raise NoSharesError(f"shares of processors cannot be given here: {error.strerror}") from error
    try:
        yield
    finally:
        _remove(group, processes)


def _group(pid: int) -> Path:
    first = _ROOT / "cpu"
    return (first if first.is_dir() else _ROOT) / f"nexus-benchmark-{os.getpid()}-{pid}"


def _remove(group: Path, processes: Sequence[psutil.Process]) -> None:
    for process in processes:
        with suppress(OSError):
            (group.parent / "cgroup.procs").write_text(str(process.pid))
    with suppress(OSError):
        group.rmdir()
