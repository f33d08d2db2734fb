"""Control groups of runs, version 1 and 2 side by side: which controllers bite here, one group a run, what it used."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

PREFIX = "nexus-sandbox-"
"""What the groups of this service are called, before its process id."""
_CPU_PERIOD_US = 100_000
_REMOVE_TRIES = 50
_REMOVE_PAUSE_S = 0.01
MEMORY, PIDS, CPU, CPUACCT = "memory", "pids", "cpu", "cpuacct"
_trials = itertools.count()
_CONTROLLERS = (MEMORY, PIDS, CPU, CPUACCT)


@dataclass(frozen=True, slots=True)
class GroupLimits:
    """What a group may use.

    Attributes:
        memory_bytes: memory of all its processes and files in memory; swap is not allowed.
        processes: processes and threads.
        cpu_cores: CPU seconds a second.
    """

    memory_bytes: int
    processes: int
    cpu_cores: float


@dataclass(frozen=True, slots=True)
class GroupUsage:
    """What a group has used; None where its controller is missing."""

    out_of_memory_kills: int
    peak_memory_bytes: int | None
    cpu_time_s: float | None


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """A cgroup folder under which groups can be made, with the controllers that it offers."""

    version: int
    base: Path
    controllers: frozenset[str]


@dataclass(slots=True)
class RunGroup:
    """The group of one sandbox, in every hierarchy."""

    folders: Mapping[str, Path]
    versions: Mapping[str, int]
    _all: list[Hierarchy] = field(default_factory=list[Hierarchy])

    def limit(self, limits: GroupLimits) -> None:
        """Hold the group to `limits`; meant to be called once, before untrusted code is in it.

        Raises:
            OSError: when a limit that must hold cannot be written.
        """
        for hierarchy in self._all:
            apply_limits(hierarchy.base, hierarchy, limits)

    def join(self, process_id: int) -> None:
        """Move a process, and with it all it will start, into the group."""
        for hierarchy in self._all:
            _write(hierarchy.base / "cgroup.procs", str(process_id))

    def usage(self) -> GroupUsage:
        """Read what was used so far."""
        return GroupUsage(self._out_of_memory_kills(), self._peak(), self._cpu_time())

    def remove(self) -> None:
        """Remove the group, whose processes have ended. Idempotent."""
        for hierarchy in self._all:
            _remove(hierarchy.base)

    def _out_of_memory_kills(self) -> int:
        folder = self.folders.get(MEMORY)
        if folder is None:
            return 0
        name = "memory.events" if self.versions[MEMORY] == 2 else "memory.oom_control"
        return _table(folder / name).get("oom_kill", 0)

    def _peak(self) -> int | None:
        folder = self.folders.get(MEMORY)
        if folder is None:
            return None
        name = "memory.peak" if self.versions[MEMORY] == 2 else "memory.max_usage_in_bytes"
        with suppress(OSError, ValueError):
            return int((folder / name).read_text())
        return None

    def _cpu_time(self) -> float | None:
        with suppress(OSError, ValueError, KeyError):
            if CPUACCT in self.folders:
                return int((self.folders[CPUACCT] / "cpuacct.usage").read_text()) / 1e9
            if self.versions.get(MEMORY) == 2:
                return _table(self.folders[MEMORY] / "cpu.stat")["usage_usec"] / 1e6
        return None


class CgroupTree:
    """The hierarchies of this host in which the service can make groups."""

    def __init__(self, hierarchies: Iterable[Hierarchy]) -> None:
        self.hierarchies = tuple(hierarchies)

    @classmethod
    def detect(cls, mountinfo: str, membership: str) -> CgroupTree:
        """Return the tree of this process.

        Args:
            mountinfo: text of /proc/self/mountinfo.
            membership: text of /proc/self/cgroup.
        """
        found: list[Hierarchy] = []
        taken: set[str] = set()
        # Where both versions are mounted, the controllers are in version 1.
        for mount in sorted(mounts_of(mountinfo), key=lambda mount: mount.version):
            wanted = frozenset(mount.controllers) - taken
            for base in mount.candidates(membership):
                usable = _usable(base, mount.version, wanted)
                if usable:
                    found.append(Hierarchy(mount.version, base, usable))
                    taken |= usable
                    break
        return cls(found)

    @property
    def controllers(self) -> frozenset[str]:
        """The controllers that bite."""
        return frozenset[str]().union(*(h.controllers for h in self.hierarchies))

    def subtree(self, name: str, cpu_share: float) -> CgroupTree:
        """Make a group in which further ones are made, and return the tree below it.

        Args:
            name: of its folder.
            cpu_share: its weight beside its siblings when the CPU is short, where 1.0 is an ordinary process's.

        Raises:
            OSError: when the host refuses; nothing is left then.
        """
        inner: list[Hierarchy] = []
        try:
            for hierarchy in self.hierarchies:
                folder = hierarchy.base / name
                folder.mkdir(exist_ok=True)
                inner.append(Hierarchy(hierarchy.version, folder, hierarchy.controllers))
                if CPU in hierarchy.controllers:
                    _weigh(folder, hierarchy.version, cpu_share)
                _hand_down(folder, hierarchy)
        except OSError:
            CgroupTree(inner).remove()
            raise
        return CgroupTree(inner)

    def create(self, name: str) -> RunGroup:
        """Make the group of one sandbox, without limits so far.

        Raises:
            OSError: when the host refuses; nothing is left then.
        """
        made: list[Hierarchy] = []
        try:
            for hierarchy in self.hierarchies:
                folder = hierarchy.base / name
                folder.mkdir()
                made.append(Hierarchy(hierarchy.version, folder, hierarchy.controllers))
        except OSError:
            CgroupTree(made).remove()
            raise
        folders = {name: made_in.base for made_in in made for name in made_in.controllers}
        versions = {name: made_in.version for made_in in made for name in made_in.controllers}
        return RunGroup(folders, versions, made)

    def remove(self) -> None:
        """Remove the tree's own groups, which are empty. Idempotent."""
        for hierarchy in self.hierarchies:
            _remove(hierarchy.base)

    def sweep(self) -> None:
        """Remove the groups that a killed service has left."""
        for hierarchy in self.hierarchies:
            for folder in hierarchy.base.glob(f"{PREFIX}*"):
                owner = folder.name.removeprefix(PREFIX).partition("-")[0]
                if owner.isdigit() and not Path("/proc", owner).exists():
                    _remove_tree(folder)


def _hand_down(folder: Path, hierarchy: Hierarchy) -> None:
    """Give the groups that are made in `folder` its controllers, which version 2 wants to be asked for."""
    if hierarchy.version == 2 and _enabled(folder, hierarchy.controllers) != hierarchy.controllers:
        raise OSError(0, "a controller cannot be handed down")


def _weigh(folder: Path, version: int, cpu_share: float) -> None:
    if version == 2:
        _write_if_there(folder / "cpu.weight", str(max(1, int(100 * cpu_share))))
    else:
        _write_if_there(folder / "cpu.shares", str(max(2, int(1024 * cpu_share))))


def _remove_tree(folder: Path) -> None:
    for path, _, _ in os.walk(folder, topdown=False):
        with suppress(OSError):
            Path(path).rmdir()


@dataclass(frozen=True, slots=True)
class CgroupMount:
    """A mounted hierarchy: its version, which part of it is mounted where, and the controllers that matter here."""

    version: int
    root: str
    point: Path
    controllers: frozenset[str]

    def candidates(self, membership: str) -> list[Path]:
        """Return the folders to try: the service's own group, whose limits then hold for runs too, then the top."""
        own = self.point
        for line in membership.splitlines():
            _, names, path = line.split(":", 2)
            mine = names == "" if self.version == 2 else bool(self.controllers & set(names.split(",")))
            if mine and path.startswith(self.root):
                own = self.point / path.removeprefix(self.root).lstrip("/")
        return [own] if own == self.point else [own, self.point]


def mounts_of(mountinfo: str) -> list[CgroupMount]:
    """Return the cgroup mounts in the text of /proc/self/mountinfo."""
    found: list[CgroupMount] = []
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        root, point = before.split()[3:5]
        kind, _, options = after.split()[:3]
        if kind == "cgroup2":
            found.append(CgroupMount(2, root, Path(point), frozenset(_CONTROLLERS[:3])))
        elif kind == "cgroup":
            offered = frozenset(options.split(",")) & frozenset(_CONTROLLERS)
            if offered:
                found.append(CgroupMount(1, root, Path(point), offered))
    return found


def _usable(base: Path, version: int, wanted: frozenset[str]) -> frozenset[str]:
    """Return which of the `wanted` controllers work for groups under `base`, by making one."""
    if not wanted:
        return frozenset()
    if version == 2:
        wanted = _enabled(base, wanted)
        if MEMORY not in wanted:
            return frozenset()
    trial = base / f"{PREFIX}{os.getpid()}-trial-{next(_trials)}"
    limits = GroupLimits(memory_bytes=64 << 20, processes=16, cpu_cores=1.0)
    try:
        trial.mkdir()
    except OSError:
        return frozenset()
    try:
        apply_limits(trial, Hierarchy(version, base, wanted), limits)
        if not os.access(trial / "cgroup.procs", os.W_OK):
            return frozenset()
    except OSError:
        return frozenset()
    finally:
        _remove(trial)
    return wanted


def _enabled(base: Path, wanted: frozenset[str]) -> frozenset[str]:
    """Return the controllers that groups under `base` get, after asking for the wanted ones (version 2)."""
    with suppress(OSError):
        offered = set((base / "cgroup.controllers").read_text().split())
        for name in sorted(wanted & offered):
            with suppress(OSError):
                _write(base / "cgroup.subtree_control", f"+{name}")
        return wanted & set((base / "cgroup.subtree_control").read_text().split())
    return frozenset()


def apply_limits(folder: Path, hierarchy: Hierarchy, limits: GroupLimits) -> None:
    """Write the limits of the group in `folder`.

    Raises:
        OSError: when a limit that must hold cannot be written.
    """
    quota_us = int(limits.cpu_cores * _CPU_PERIOD_US)
    version2 = hierarchy.version == 2
    if MEMORY in hierarchy.controllers and version2:
        _write(folder / "memory.max", str(limits.memory_bytes))
        _write_if_there(folder / "memory.swap.max", "0")
        _write_if_there(folder / "memory.oom.group", "1")
    elif MEMORY in hierarchy.controllers:
        _write(folder / "memory.limit_in_bytes", str(limits.memory_bytes))
        _write_if_there(folder / "memory.memsw.limit_in_bytes", str(limits.memory_bytes))
    if PIDS in hierarchy.controllers:
        _write(folder / "pids.max", str(limits.processes))
    if CPU in hierarchy.controllers and version2:
        _write(folder / "cpu.max", f"{quota_us} {_CPU_PERIOD_US}")
    elif CPU in hierarchy.controllers:
        _write_if_there(folder / "cpu.cfs_period_us", str(_CPU_PERIOD_US))
        _write_if_there(folder / "cpu.cfs_quota_us", str(quota_us))


def _write(path: Path, value: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, value.encode())
    finally:
        os.close(fd)


def _write_if_there(path: Path, value: str) -> None:
    """Write a limit that not every kernel has."""
    with suppress(OSError):
        _write(path, value)


def _table(path: Path) -> dict[str, int]:
    """Return the numbers of a file with one `name number` a line; empty when it cannot be read."""
    with suppress(OSError, ValueError):
        return {name: int(number) for name, number in (line.split() for line in path.read_text().splitlines())}
    return {}


def _remove(folder: Path) -> None:
    """Remove an empty group; its last processes may take a moment to be gone."""
    for _ in range(_REMOVE_TRIES):
        try:
            folder.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            time.sleep(_REMOVE_PAUSE_S)
        else:
            return
