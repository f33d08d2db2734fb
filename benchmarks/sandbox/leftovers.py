"""What is on the host because of sandboxes: processes, mounts, control groups, files; and what warm ones take."""

from __future__ import annotations

import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

_MIB = 1 << 20
_CGROUPS = Path("/sys/fs/cgroup")


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
            processes=len(psutil.pids()),
            mounts=len(Path("/proc/self/mountinfo").read_text().splitlines()),
            groups=groups,
            files=sum(1 for path in Path(tempfile.gettempdir()).iterdir() if "nexus" in path.name),
        )

    def beyond(self, before: Leftovers) -> dict[str, float]:
        """Return how many more there are of each than before, ready sandboxes (one group and process each) left out.

        A zygote keeps at most four ready.
        """
        ready = 4 * len([name for name in ("groups", "processes") if name])
        more = {name: getattr(self, name) - number for name, number in asdict(before).items()}
        kept = min(ready // 2, max(0, more["groups"] // max(1, _hierarchies())))
        more["groups"] -= kept * _hierarchies()
        more["processes"] -= kept
        return {name: float(max(0, number)) for name, number in more.items()}


def _hierarchies() -> int:
    return len({folder.parts[4] for folder in _CGROUPS.rglob("nexus-sandbox-*")})


def warm_memory_mb(service_id: int) -> float:
    """Return the proportional memory of one zygote and of the sandboxes that it keeps ready, in MB."""
    zygotes = psutil.Process(service_id).children()
    families = [[zygote, *zygote.children(recursive=True)] for zygote in zygotes]
    sizes = [sum(process.memory_full_info().pss for process in family) for family in families]
    return max(sizes, default=0) / _MIB
