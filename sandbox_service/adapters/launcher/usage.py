"""What the processes of a sandbox use, as PID 1 sees it; a control group, where there is one, knows better."""
# pathlib would be slower here, and this runs 40 times a second where no control group counts.
# ruff: noqa: PTH123, PTH208

from __future__ import annotations

import os

from sandbox_service.adapters.launcher.layout import WRITABLE

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


def _processes() -> list[str]:
    return [name for name in os.listdir("/proc") if name.isdigit() and name != "1"]


def _used(folder: str) -> int:
    state = os.statvfs(folder)
    return (state.f_blocks - state.f_bfree) * state.f_bsize


def _resident_bytes(pid: str) -> int:
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            _, resident, shared = file.read().split()[:3]
            return (int(resident) - int(shared)) * _PAGE_BYTES
    except (OSError, ValueError):
        return 0  # it ended in between


def _proportional_bytes(pid: str) -> int:
    """Return the resident bytes of a process, where a page that n processes share counts 1/n."""
    try:
        with open(f"/proc/{pid}/smaps_rollup", "rb") as file:
            for line in file:
                if line.startswith(b"Pss:"):
                    return int(line.split()[1]) << 10
    except OSError:
        return _resident_bytes(pid)
    return 0


def memory_bytes(limit_bytes: int) -> int:
    """Return the memory of all processes but PID 1, with their files in memory; exact where it is near the limit."""
    files_bytes = sum(_used(folder) for folder in WRITABLE)
    # Resident sizes are cheap and count shared pages once for each process; the exact sum is only taken in doubt.
    total_bytes = files_bytes + sum(_resident_bytes(pid) for pid in _processes())
    if total_bytes > limit_bytes:
        total_bytes = files_bytes + sum(_proportional_bytes(pid) for pid in _processes())
    return total_bytes


def cpu_us() -> int:
    """Return the CPU time of all processes but PID 1, ended ones included, in microseconds."""
    usage = os.times()
    total_s = usage.children_user + usage.children_system
    for pid in _processes():
        try:
            with open(f"/proc/{pid}/stat", "rb") as file:
                fields = file.read().rpartition(b")")[2].split()
            total_s += sum(int(ticks) for ticks in fields[11:15]) / _TICKS_A_SECOND
        except (OSError, ValueError, IndexError):
            continue  # it ended in between
    return int(total_s * 1e6)
