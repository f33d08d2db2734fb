"""PID 1 of a run: starts the program, reaps what it leaves, and ends with it; then the kernel kills the rest."""
# pathlib and contextlib would cost the launcher 5 ms a run.
# ruff: noqa: PTH123, PTH208, SIM105

from __future__ import annotations

import os
import select

from sandbox_service.adapters.launcher import kernel
from sandbox_service.adapters.launcher.mounts import PROGRAM_PATH, WRITABLE
from sandbox_service.adapters.launcher.order import Order, encode_message

_TICK_MS = 25
_SIGKILL = 9
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_DEFAULT_SIGNALS = (13, 25)  # SIGPIPE and SIGXFSZ, which Python ignores and exec would pass on
_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "HOME": "/work", "LANG": "C.UTF-8"}


class Tally:
    """What the processes of a run have used, as far as PID 1 can tell.

    Attributes:
        peak_bytes: most memory at a tick, pages that processes share perhaps counted more than once; 0 when nobody
            asked whether it exceeds a limit.
        status: wait status of the program, or None while it runs.
    """

    def __init__(self, guest: int) -> None:
        self._guest = guest
        self.peak_bytes = 0
        self.status: int | None = None

    def reap(self, *, block: bool = False) -> None:
        """Collect the children that ended; with `block`, all of them."""
        while True:
            try:
                pid, status = os.waitpid(-1, 0 if block else os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self._guest:
                self.status = status

    def exceeds(self, limit_bytes: int) -> bool:
        """Say whether all processes but PID 1 and the files in memory take more than `limit_bytes`, by /proc."""
        files_bytes = sum(_used(folder) for folder in WRITABLE)
        # Resident sizes are cheap and count shared pages once for each process; the exact sum is only taken in doubt.
        total_bytes = files_bytes + sum(_resident_bytes(pid) for pid in _processes())
        if total_bytes > limit_bytes:
            total_bytes = files_bytes + sum(_proportional_bytes(pid) for pid in _processes())
        self.peak_bytes = max(self.peak_bytes, total_bytes)
        return total_bytes > limit_bytes


def _processes() -> list[str]:
    return [name for name in os.listdir("/proc") if name.isdigit() and name != "1"]


def _used(folder: str) -> int:
    state = os.statvfs(folder)
    return (state.f_blocks - state.f_bfree) * state.f_bsize


def _resident_bytes(pid: str) -> int:
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            return int(file.read().split()[1]) * _PAGE_BYTES
    except (OSError, IndexError):
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


def _start(order: Order, control_fd: int) -> int:
    """Fork and become the program; return its process id."""
    guest = os.fork()
    if guest:
        return guest
    try:
        os.setsid()
        for number in _DEFAULT_SIGNALS:
            kernel.default_signal(number)
        kernel.close_on_exec_from(3)
        os.execve(order["interpreter"][0], [*order["argument"], PROGRAM_PATH], _ENVIRONMENT)  # noqa: S606
    except OSError as error:
        os.write(control_fd, encode_message("failed", stage="exec", errno=error.errno or 0))
    finally:
        os._exit(127)


def run_guest(order: Order, control_fd: int) -> None:
    """Run the program to its end, or until the other side of `control_fd` is closed, and say how it ended."""
    memory_bytes = int(order["watched_memory_bytes"][0])
    guest = _start(order, control_fd)
    for fd in range(3):  # the program's streams are the program's alone
        os.close(fd)
    poller = select.poll()
    poller.register(os.pidfd_open(guest), select.POLLIN)
    poller.register(control_fd, select.POLLIN)
    tally = Tally(guest)
    killed = ""
    while tally.status is None and not killed:
        ready = poller.poll(_TICK_MS)
        tally.reap()
        if any(fd == control_fd for fd, _ in ready):
            killed = "asked"
        elif memory_bytes and tally.exceeds(memory_bytes):
            killed = "memory"
    _end(tally, killed, control_fd)


def _end(tally: Tally, killed: str, control_fd: int) -> None:
    """Kill what is left, and report."""
    try:
        os.kill(-1, _SIGKILL)
    except ProcessLookupError:
        pass  # nothing is left
    tally.reap(block=True)
    usage = os.times()
    code = os.waitstatus_to_exitcode(tally.status or 0)
    report = encode_message(
        "ended",
        exit=max(code, -1),
        signal=max(-code, 0),
        killed=killed,
        cpu_us=int((usage.children_user + usage.children_system) * 1e6),
        peak_bytes=tally.peak_bytes,
    )
    try:
        os.write(control_fd, report)
    except OSError:
        pass  # whoever asked has left
