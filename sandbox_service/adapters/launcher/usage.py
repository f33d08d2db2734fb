"""What the processes of a sandbox use, as PID 1 sees it; a control group, where there is one, knows better."""
# pathlib would be slower here, and this runs 40 times a second where no control group counts.
# ruff: noqa: PTH208

from __future__ import annotations

import os

from sandbox_service.adapters.launcher.layout import WRITABLE

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
_MOST_BYTES = 8 << 10  # of the files that are read here


def _used(folder: str) -> int:
    state = os.statvfs(folder)
    return (state.f_blocks - state.f_bfree) * state.f_bsize


class Usage:
    """Looks at all processes but PID 1.

    Args:
        proc_fd: their /proc.
    """

    def __init__(self, proc_fd: int) -> None:
        self._proc_fd = proc_fd

    def memory_bytes(self, limit_bytes: int) -> int:
        """Return the memory of all of them, with their files in memory; exact where it is near the limit."""
        files_bytes = sum(_used(folder) for folder in WRITABLE)
        # Resident sizes are cheap and count shared pages once for each process; the exact sum is only taken in doubt.
        total_bytes = files_bytes + sum(self._resident_bytes(pid) for pid in self._processes())
        if total_bytes > limit_bytes:
            total_bytes = files_bytes + sum(self._proportional_bytes(pid) for pid in self._processes())
        return total_bytes

    def cpu_us(self) -> int:
        """Return their CPU time, that of ended ones included, in microseconds."""
        usage = os.times()
        total_s = usage.children_user + usage.children_system
        for pid in self._processes():
            try:
                fields = self._read(f"{pid}/stat").rpartition(b")")[2].split()
                total_s += sum(int(ticks) for ticks in fields[11:15]) / _TICKS_A_SECOND
            except (OSError, ValueError, IndexError):
                continue  # it ended in between
        return int(total_s * 1e6)

    def _processes(self) -> list[str]:
        return [name for name in os.listdir(self._proc_fd) if name.isdigit() and name != "1"]

    def _read(self, path: str) -> bytes:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._proc_fd)
        try:
            return os.read(fd, _MOST_BYTES)
        finally:
            os.close(fd)

    def _resident_bytes(self, pid: str) -> int:
        try:
            _, resident, shared = self._read(f"{pid}/statm").split()[:3]
            return (int(resident) - int(shared)) * _PAGE_BYTES
        except (OSError, ValueError):
            return 0  # it ended in between

    def _proportional_bytes(self, pid: str) -> int:
        """Return the resident bytes of a process, where a page that n processes share counts 1/n."""
        try:
            for line in self._read(f"{pid}/smaps_rollup").splitlines():
                if line.startswith(b"Pss:"):
                    return int(line.split()[1]) << 10
        except OSError:  # it ended in between, or lets nobody look so closely
            return self._resident_bytes(pid)
        return 0
