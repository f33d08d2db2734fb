"""Becomes the untrusted program: the last steps of our own code in its process."""

from __future__ import annotations

import gc
import os
from typing import NoReturn

from sandbox_service.adapters.guest import cells, script, shell
from sandbox_service.adapters.launcher import kernel, landlock
from sandbox_service.adapters.launcher.layout import WORKSPACE, WRITABLE
from sandbox_service.adapters.launcher.privileges import limit_resources
from sandbox_service.adapters.launcher.wire import Message

_DEFAULT_SIGNALS = (13, 17, 25)  # SIGPIPE, SIGCHLD, SIGXFSZ
_CHANNEL_FD = 3


def _take_streams(descriptors: list[int]) -> None:
    """Make `descriptors` the numbers 0, 1, 2 and perhaps 3, and close every other one."""
    kept = [os.dup(fd) if fd < len(descriptors) else fd for fd in descriptors]
    for number, fd in enumerate(kept):
        os.dup2(fd, number)
    os.closerange(len(kept), 1 << 16)


def become(order: Message, descriptors: list[int], control_fd: int) -> NoReturn:
    """Run what `order` names in this process, and end with it.

    Args:
        order: kind (`script`, `cells`, `shell`, `exec`), limits, argv, environment, network.
        descriptors: standard input, output, errors, and the channel of all kinds but `exec`.
        control_fd: where a failure before the program starts is told; closed before it starts.
    """
    stage = "exec"
    try:
        os.setsid()
        gc.enable()
        for number in _DEFAULT_SIGNALS:
            kernel.default_signal(number)
        stage = "limits"
        limit_resources(order["limits"])
        stage = "landlock"
        landlock.restrict([*WRITABLE, *order.get("writable", [])], network=bool(order.get("network")))
        os.chdir(WORKSPACE)
        # exec would make an ordinary process of it; without exec it must be one to be looked into by itself.
        kernel.prctl(kernel.PR_SET_DUMPABLE, 1)
        os.environ.update(order.get("environment", {}))
        stage = "exec"
        _take_streams(descriptors)
    except OSError as error:
        _tell_failure(control_fd, stage, error)
    _run(order)


def _shell() -> str:
    """Return the shell of scripts: bash where the image has it."""
    return next((path for path in ("/usr/bin/bash", "/usr/bin/sh") if os.path.exists(path)), "sh")  # noqa: PTH110


def _tell_failure(control_fd: int, stage: str, error: OSError) -> NoReturn:
    import json
    import socket

    with socket.socket(fileno=control_fd) as line:
        line.send(json.dumps({"event": "failed", "stage": stage, "errno": error.errno or 0}).encode())
    os._exit(127)


def _run(order: Message) -> NoReturn:
    kind = order["kind"]
    if kind == "exec":
        argv = [str(word) for word in order.get("argv") or (_shell(), order["path"])]
        try:
            os.execvpe(argv[0], argv, dict(os.environ))  # noqa: S606  no shell
        except OSError as error:
            os.write(2, f"{argv[0]}: {error.strerror}\n".encode())
            os._exit(127)
    if kind == "script":
        code = script.run_script(order["path"], _CHANNEL_FD)
    elif kind == "cells":
        code = cells.serve_cells(_CHANNEL_FD)
    else:
        code = shell.serve_shell(_CHANNEL_FD)
    os._exit(code)
