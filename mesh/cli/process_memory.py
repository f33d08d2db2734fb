"""How much memory the processes of the mesh hold."""

from __future__ import annotations

from dataclasses import dataclass

import psutil


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory of a process and all that it started, in bytes.

    Attributes:
        rss_bytes: resident memory; pages that processes share count in each of them.
        pss_bytes: the same with shared pages divided among their users, so that it can be summed up; equal to
            `rss_bytes` where the system cannot tell.
    """

    rss_bytes: int = 0
    pss_bytes: int = 0

    def __add__(self, other: Memory) -> Memory:
        return Memory(self.rss_bytes + other.rss_bytes, self.pss_bytes + other.pss_bytes)


NONE = Memory()


def memory_of(pid: int | None, *, family: bool = True) -> Memory:
    """Return the memory of a process, by default with all that it started; nothing when it is gone."""
    if pid is None:
        return NONE
    try:
        process = psutil.Process(pid)
        members = [process, *process.children(recursive=True)] if family else [process]
    except psutil.Error:
        return NONE
    return sum((_one(member) for member in members), NONE)


def mebibytes(size_bytes: int) -> str:
    """Return a size for people; empty for nothing."""
    return f"{size_bytes / 2**20:.0f} MiB" if size_bytes else ""


def _one(process: psutil.Process) -> Memory:
    try:
        full = process.memory_full_info()
    except psutil.Error:  # it ended in between, or belongs to somebody else
        return NONE
    return Memory(full.rss, getattr(full, "pss", full.rss))
