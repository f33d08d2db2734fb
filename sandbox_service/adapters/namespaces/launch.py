"""Starts a launcher: its pipes, its order, its control group. Blocking, a few milliseconds; call it in a thread."""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from sandbox_service.adapters.launcher.order import encode_order
from sandbox_service.adapters.launcher.program import BOOTSTRAP
from sandbox_service.adapters.namespaces.cgroups import MEMORY, CgroupTree, GroupLimits, RunGroup
from sandbox_service.adapters.namespaces.interpreter import InterpreterLayout
from sandbox_service.ports.isolation_backend import RunSpec

_PACKAGES = Path(__file__).resolve().parents[3]
# The launcher and PID 1 are in the group beside the program.
_OWN_PROCESSES = 2
_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
# Address space is not memory: threads and allocators reserve far more than they touch. With a group, this only stops
# absurd reservations; without one it bounds how far a process gets between two looks of the supervisor.
_ADDRESS_SPACE_FACTOR = 4
_ADDRESS_SPACE_FACTOR_UNGROUPED = 2
_ADDRESS_SPACE_SLACK_BYTES = 1 << 30
_ADDRESS_SPACE_SLACK_UNGROUPED_BYTES = 256 << 20


@dataclass(frozen=True, slots=True)
class HostSetup:
    """What is the same for all runs.

    Attributes:
        is_root: whether namespaces are made with root's privileges instead of a user namespace's.
        layout: the interpreter and what it needs.
        cgroups: where groups can be made; without the memory controller, none is made.
        workspace_bytes: size of each of /work, /tmp and /dev/shm.
        workspace_files: most files and folders in each of them.
        cpu_cores: CPU seconds a second.
    """

    is_root: bool
    layout: InterpreterLayout
    cgroups: CgroupTree
    workspace_bytes: int
    workspace_files: int
    cpu_cores: float

    @property
    def counts_memory(self) -> bool:
        """Whether the kernel counts and limits the memory of a run."""
        return MEMORY in self.cgroups.controllers


@dataclass(slots=True)
class Launched:
    """A launcher that runs.

    Attributes:
        process: the launcher; it ends when no process of the run is left.
        control: the line to it, not blocking; closing its sending side kills the run.
        stdout_fd: reading end of the program's standard output, not blocking; its owner closes it.
        stderr_fd: the same for standard error.
        group: the run's control group, if there is one.
    """

    process: subprocess.Popen[bytes]
    control: socket.socket
    stdout_fd: int
    stderr_fd: int
    group: RunGroup | None


def _sealed(name: str, content: bytes) -> int:
    """Return a descriptor of a file in memory with `content` that nobody can change."""
    fd = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    view = memoryview(content)
    while view:
        view = view[os.write(fd, view) :]
    os.lseek(fd, 0, os.SEEK_SET)
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, _SEALS)
    return fd


def _pipe(stack: ExitStack, user_id: int) -> tuple[int, int]:
    """Return (reading end, writing end) of a pipe that `user_id` may open again; the stack closes the writing end."""
    reading, writing = os.pipe2(os.O_CLOEXEC)
    stack.callback(os.close, writing)
    os.fchown(writing, user_id, -1)
    os.set_blocking(reading, False)
    return reading, writing


def _order(host: HostSetup, spec: RunSpec, user_id: int) -> bytes:
    limits = spec.limits
    if host.counts_memory:
        address_space = limits.memory_bytes * _ADDRESS_SPACE_FACTOR + _ADDRESS_SPACE_SLACK_BYTES
    else:
        address_space = limits.memory_bytes * _ADDRESS_SPACE_FACTOR_UNGROUPED + _ADDRESS_SPACE_SLACK_UNGROUPED_BYTES
    layout = host.layout
    pairs = [
        ("mode", "root" if host.is_root else "user"),
        ("uid", str(user_id)),
        ("gid", str(user_id)),
        ("processes", str(limits.processes)),
        ("address_space_bytes", str(address_space)),
        ("watched_memory_bytes", "0" if host.counts_memory else str(limits.memory_bytes)),
        ("memfd", "1" if host.counts_memory else "0"),
        ("cpu_s", str(int(limits.wall_time_s) + 2)),
        ("workspace_bytes", str(host.workspace_bytes)),
        ("workspace_inodes", str(host.workspace_files)),
        ("interpreter", str(layout.executable)),
        *(("argument", word) for word in (str(layout.executable), "-I", "-B", "-u")),
        *(("bind", str(path)) for path in layout.binds),
        *(("link", f"{target}\t{link}") for target, link in layout.links),
        *(("mask", str(path)) for path in layout.masks),
    ]
    return encode_order(pairs)


def launch(host: HostSetup, spec: RunSpec, user_id: int) -> Launched:
    """Start the launcher of a run.

    Args:
        host: what is the same for all runs.
        spec: the run.
        user_id: user and group that the program gets on the host, used by no other run at the time.

    Raises:
        OSError: when the process or its group cannot be made; nothing is left then.
    """
    order = _order(host, spec, user_id)
    with ExitStack() as opened, ExitStack() as undo:
        ours, theirs = socket.socketpair()
        undo.callback(ours.close)
        opened.callback(theirs.close)
        code_fd = _sealed("code", spec.program.code.encode())
        opened.callback(os.close, code_fd)
        stdin_fd = _sealed("stdin", spec.program.stdin)
        opened.callback(os.close, stdin_fd)
        stdout_fd, stdout_end = _pipe(opened, user_id)
        undo.callback(os.close, stdout_fd)
        stderr_fd, stderr_end = _pipe(opened, user_id)
        undo.callback(os.close, stderr_fd)
        group = _make_group(host, spec)
        if group:
            undo.callback(group.remove)
        python = str(host.layout.executable)
        argv = [python, "-I", "-S", "-c", BOOTSTRAP, str(_PACKAGES), str(theirs.fileno()), str(code_fd)]
        process = subprocess.Popen(  # noqa: S603  our own launcher, no shell, arguments of our own
            argv,
            stdin=stdin_fd,
            stdout=stdout_end,
            stderr=stderr_end,
            env={},
            close_fds=True,
            pass_fds=(theirs.fileno(), code_fd),
            start_new_session=True,
        )
        undo.callback(process.wait)
        undo.callback(process.kill)
        if group:
            # The launcher waits for its order, so all that it starts is in the group from its first instruction.
            group.join(process.pid)
        ours.sendall(order)
        ours.settimeout(0)
        undo.pop_all()
    return Launched(process, ours, stdout_fd, stderr_fd, group)


def _make_group(host: HostSetup, spec: RunSpec) -> RunGroup | None:
    if not host.counts_memory:
        return None
    limits = GroupLimits(spec.limits.memory_bytes, spec.limits.processes + _OWN_PROCESSES, host.cpu_cores)
    return host.cgroups.create(spec.execution_id, limits)
