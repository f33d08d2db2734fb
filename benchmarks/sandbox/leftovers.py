"""What is on the host because of sandboxes: processes, mounts, control groups, files; and what warm ones take."""

from __future__ import annotations

import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from sandbox_service.adapters.namespaces.user_ids import FIRST_USER_ID

_MIB = 1 << 20
_CGROUPS = Path("/sys/fs/cgroup")
_READY = 4


@dataclass(frozen=True, slots=True)
class Leftovers:
    """Numbers of things."""

    processes: int
    mounts: int
    groups: int
    files: int

    @classmethod
    def now(cls) -> Leftovers:
        """Count."""
        groups = sum(1 for folder, *_ in os.walk(_CGROUPS) if "nexus-sandbox-" in folder)
        return cls(
            processes=sum(1 for process in psutil.process_iter(["uids"]) if _is_inside(process)),
            mounts=len(Path("/proc/self/mountinfo").read_text().splitlines()),
            groups=groups,
            files=sum(1 for path in Path(tempfile.gettempdir()).iterdir() if "nexus" in path.name),
        )

    def beyond(self, before: Leftovers) -> dict[str, float]:
        """Return how many more there are of each than before, less what a zygote may keep ready."""
        more = {name: getattr(self, name) - number for name, number in asdict(before).items()}
        more["processes"] -= _READY
        more["groups"] -= _READY * _hierarchies()
        return {name: float(max(0, number)) for name, number in more.items()}


def _is_inside(process: psutil.Process) -> bool:
    """Say whether a process has one of the host users of sandboxes; a zygote has one too."""
    users = process.info["uids"]
    return users is not None and users.real >= FIRST_USER_ID


def _hierarchies() -> int:
    return sum(1 for folder in _CGROUPS.iterdir() if any(folder.glob("**/nexus-sandbox-*")))


def warm_memory_mb(service_id: int) -> float:
    """Return the proportional memory of all zygotes and of the sandboxes that they keep ready, in MB."""
    processes = psutil.Process(service_id).children(recursive=True)
    return sum(process.memory_full_info().pss for process in processes) / _MIB
