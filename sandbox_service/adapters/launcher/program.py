"""The launcher's entry: reads one order, makes the namespaces, forks PID 1 and waits for it.

Started as `python -I -S -c <BOOTSTRAP> <folder of the packages> <control fd> <code fd>`: a module that is imported has
its compiled form cached, a script has not. File descriptors 0, 1 and 2 are the program's own.
"""

from __future__ import annotations

import os
import sys

from sandbox_service.adapters.launcher import init, kernel, mounts, privileges, seccomp
from sandbox_service.adapters.launcher.order import (
    LENGTH_BYTES,
    MAX_ORDER_BYTES,
    Order,
    decode_order,
    encode_message,
)

BOOTSTRAP = (
    "import sys; sys.path.insert(0, sys.argv[1]); from sandbox_service.adapters.launcher.program import main; main()"
)
_NAMESPACES = (
    kernel.CLONE_NEWNS
    | kernel.CLONE_NEWPID
    | kernel.CLONE_NEWNET
    | kernel.CLONE_NEWIPC
    | kernel.CLONE_NEWUTS
    | kernel.CLONE_NEWCGROUP
)


class Progress:
    """The step that is being taken, so that a failure can say where."""

    stage = "order"


def _read_exactly(fd: int, size: int) -> bytes:
    read = b""
    while len(read) < size:
        part = os.read(fd, size - len(read))
        if not part:
            raise OSError(0, "the service has left")
        read += part
    return read


def _receive(control_fd: int) -> Order:
    size = int.from_bytes(_read_exactly(control_fd, LENGTH_BYTES), "big")
    if size > MAX_ORDER_BYTES:
        raise OSError(0, "the order is too long")
    return decode_order(_read_exactly(control_fd, size))


def _code(code_fd: int) -> bytes:
    size = os.fstat(code_fd).st_size
    return os.pread(code_fd, size, 0)


def _become_init(order: Order, code: bytes, control_fd: int, proc_fd: int, progress: Progress) -> None:
    """Build the isolation from inside, then run the program."""
    # Python's handler for SIGINT would let a program interrupt PID 1, which ignores what it does not handle.
    kernel.default_signal(2)
    # Set again after the user changes, which clears it.
    kernel.prctl(kernel.PR_SET_PDEATHSIG, 9)
    progress.stage = "root"
    mounts.build_root(order, code)
    kernel.set_hostname("sandbox")
    progress.stage = "privileges"
    privileges.limit_resources(order)
    privileges.drop(order, proc_fd)
    os.close(proc_fd)
    progress.stage = "seccomp"
    kernel.load_seccomp(seccomp.build_filter(memfd=order["memfd"][0] == "1"))
    os.write(control_fd, encode_message("ready"))
    init.run_guest(order, control_fd)


def _launch(control_fd: int, code_fd: int, progress: Progress) -> None:
    order = _receive(control_fd)
    code = _code(code_fd)
    os.close(code_fd)
    proc_fd = os.open("/proc", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    progress.stage = "namespaces"
    if order["mode"][0] == "root":
        kernel.unshare(_NAMESPACES)
    else:
        uid, gid = os.getuid(), os.getgid()
        kernel.unshare(_NAMESPACES | kernel.CLONE_NEWUSER)
        progress.stage = "id_map"
        map_to_root = 0
        privileges.map_ids(proc_fd, map_to_root, uid, gid)
    progress.stage = "fork"
    init_pid = os.fork()
    if init_pid == 0:
        _become_init(order, code, control_fd, proc_fd, progress)
        os._exit(0)
    # From here on only PID 1 holds the program's streams and the line to the service.
    os.closerange(0, 1 << 20)
    os.waitpid(init_pid, 0)


def main() -> None:
    """Run the launcher; exits 0 when the run is over, 1 when its isolation could not be built."""
    control_fd, code_fd = int(sys.argv[2]), int(sys.argv[3])
    progress = Progress()
    # The service's own mask keeps its files to itself; the folders of a run are for its program to enter.
    os.umask(0o022)
    os.set_inheritable(control_fd, False)  # noqa: FBT003
    try:
        _launch(control_fd, code_fd, progress)
    except OSError as error:
        failure = encode_message("failed", stage=progress.stage, errno=error.errno or 0, detail=error.strerror or "")
        os.write(control_fd, failure)
        os._exit(1)
    os._exit(0)
