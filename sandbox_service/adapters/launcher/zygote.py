"""The zygote: one warm process for an organisation and an image, of which every sandbox is a fork.

It is started by path, outside the service's process. It has one thread, no secret and no untrusted code in it: what a
program gets goes past it, from the service to the PID 1 of the program's sandbox.
"""

from __future__ import annotations

import gc
import importlib
import os
import signal
import socket
import sys
from contextlib import suppress

from sandbox_service.adapters.launcher import kernel, mounts, privileges, seccomp
from sandbox_service.adapters.launcher.init import Init
from sandbox_service.adapters.launcher.layout import Blueprint
from sandbox_service.adapters.launcher.wire import Message, receive, send

BOOTSTRAP = (
    "import sys; sys.path.insert(0, sys.argv[1]); from sandbox_service.adapters.launcher.zygote import main; main()"
)
"""Started as `python -I -S -B -u -c <BOOTSTRAP> <folder of the packages> <line fd>`."""
_ROOT_OF_NAMESPACE = 0
_TURN_US = 200
_NAMESPACES = (
    kernel.CLONE_NEWNS
    | kernel.CLONE_NEWPID
    | kernel.CLONE_NEWNET
    | kernel.CLONE_NEWIPC
    | kernel.CLONE_NEWUTS
    | kernel.CLONE_NEWCGROUP
)


class _Stage:
    """The step that is being taken, so that a failure can say where."""

    name = "order"


def _confine(blueprint: Blueprint, stage: _Stage) -> int:
    """Move into a read-only root as an unprivileged user; return a descriptor of the host's /proc."""
    proc_fd = os.open("/proc", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    stage.name = "namespaces"
    if blueprint.is_root:
        kernel.unshare(kernel.CLONE_NEWNS)
    else:
        privileges.enter_user_namespace(proc_fd, _ROOT_OF_NAMESPACE, kernel.CLONE_NEWNS)
    stage.name = "root"
    mounts.build_root(blueprint)
    stage.name = "privileges"
    privileges.become_tenant(blueprint)
    stage.name = "namespaces"
    # Its own copy of all mounts, locked: nothing in it can take a mount away and look at what lies beneath.
    privileges.enter_user_namespace(proc_fd, _ROOT_OF_NAMESPACE, kernel.CLONE_NEWNS)
    kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    with suppress(OSError):
        # However long a program computes, another one that wakes waits little for its turn.
        kernel.take_short_turns(_TURN_US)
    return proc_fd


def _warm_up(blueprint: Blueprint) -> None:
    """Import what programs of the image use most, and set what they inherit."""
    os.environ.clear()
    os.environ.update(blueprint.environment)
    sys.path[:] = [path for path in sys.path if path != sys.argv[1]] + blueprint.import_paths
    seccomp.filter_of(memfd=blueprint.memfd, network=False)
    for name in blueprint.preload:
        importlib.import_module(name)
    # What is here stays: looking at it again would only copy its pages into every fork.
    gc.collect()
    gc.freeze()
    gc.disable()


def _spawn(order: Message, line: socket.socket, control_fd: int, blueprint: Blueprint, proc_fd: int) -> None:
    """Fork the PID 1 of a sandbox and hand its pidfd to the service."""
    network = bool(order.get("network"))
    try:
        pid, pidfd = kernel.clone(_NAMESPACES)
    except OSError as error:
        send(line, {"re": "spawn", "errno": error.errno or 0, "stage": "namespaces"})
        return
    if pid == 0:
        line.close()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        init = Init(socket.socket(fileno=control_fd), blueprint, network=network)
        init.build(proc_fd)
        init.serve()
        os._exit(0)
    send(line, {"re": "spawn", "pid": pid}, (pidfd,))
    os.close(pidfd)


def _serve(line: socket.socket, blueprint: Blueprint, proc_fd: int) -> None:
    """Make sandboxes until the service closes the line."""
    # The kernel collects children by itself; the service waits for them by their pidfds.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        order, descriptors = receive(line)
        if order is None:
            return
        _spawn(order, line, descriptors[0], blueprint, proc_fd)
        for fd in descriptors:
            os.close(fd)


def main() -> None:
    """Run the zygote; exits 0 when the service closes the line, 1 when the isolation could not be built."""
    line = socket.socket(fileno=int(sys.argv[2]))
    line.set_inheritable(False)
    stage = _Stage()
    # The service's own mask keeps its files to itself; the folders of a sandbox are for its program to enter.
    os.umask(0o022)
    kernel.default_signal(signal.SIGINT)
    try:
        order, _ = receive(line)
        if order is None:
            os._exit(0)
        blueprint = Blueprint(**order)
        proc_fd = _confine(blueprint, stage)
        # A program is a function of a fork of this one, can look at who called it, and need not know the host's paths.
        order, blueprint = None, blueprint._replace(binds=[], links=[], masks=[])
        stage.name = "images"
        _warm_up(blueprint)
    except (OSError, ImportError) as error:
        number = error.errno or 0 if isinstance(error, OSError) else 0
        send(line, {"event": "failed", "stage": stage.name, "errno": number, "detail": str(error)[:500]})
        os._exit(1)
    send(line, {"event": "ready"})
    _serve(line, blueprint, proc_fd)
    os._exit(0)
