"""Memory and CPU of the mesh's processes, children included."""

from __future__ import annotations

from dataclasses import dataclass

import psutil

from shared.testing.running_mesh import SUPERVISOR, RunningMesh


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory in bytes: resident, and proportional (shared pages divided among their users)."""

    rss_bytes: int
    pss_bytes: int


def memory_by_process(mesh: RunningMesh) -> dict[str, Memory]:
    """Return the memory of each process of the mesh by name."""
    return {name: _memory(tree) for name, tree in _trees(mesh).items()}


def cpu_by_process(mesh: RunningMesh) -> dict[str, float]:
    """Return user and system time of each process of the mesh so far, ended children included, in seconds."""
    return {name: sum(map(_cpu, tree)) for name, tree in _trees(mesh).items()}


def _trees(mesh: RunningMesh) -> dict[str, list[psutil.Process]]:
    roots = {name: psutil.Process(pid) for name, pid in mesh.pids().items()}
    # The supervisor's children are the other processes, which are counted by themselves.
    return {
        name: [root] if name == SUPERVISOR else [root, *root.children(recursive=True)] for name, root in roots.items()
    }


def _cpu(process: psutil.Process) -> float:
    """Return the seconds of a process and of its children that ended and were waited for."""
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    own = times.user + times.system
    return own + times.children_user + times.children_system


def _memory(processes: list[psutil.Process]) -> Memory:
    rss = pss = 0
    for process in processes:
        try:
            found = process.memory_full_info()
        except psutil.NoSuchProcess:
            continue
        rss += found.rss
        pss += found.pss
    return Memory(rss, pss)
