"""The program that is run at start-up to see what it can do. It runs inside the sandbox and prints facts as JSON."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import socket
import sys
import time
from pathlib import Path

_CLONE_NEWUSER = 0x10000000
_SYS_KEYCTL = 250
_PR_GET_NO_NEW_PRIVS = 39
_FORKS = 40
_RLIMITS = (
    resource.RLIMIT_AS,
    resource.RLIMIT_NPROC,
    resource.RLIMIT_FSIZE,
    resource.RLIMIT_CPU,
    resource.RLIMIT_NOFILE,
)


def _errno_of(action: object) -> int:
    """Return the errno with which `action` fails; 0 when it works."""
    try:
        action()  # type: ignore[operator]
    except OSError as error:
        return error.errno or -1
    return 0


def _raw(call: object, *args: object) -> int:
    """Return the errno of a libc call; 0 when it works."""
    return ctypes.get_errno() if call(*args) < 0 else 0  # type: ignore[operator]


def _connect(family: int, kind: int) -> None:
    with socket.socket(family, kind) as probe:
        probe.settimeout(0.2)
        probe.connect(("127.0.0.1", 9))


def _forks() -> int:
    """Return how many children can live at a time."""
    children: list[int] = []
    with contextlib.suppress(OSError):
        for _ in range(_FORKS):
            child = os.fork()
            if child == 0:
                time.sleep(5)
                os._exit(0)
            children.append(child)
    for child in children:
        os.kill(child, 9)
        os.waitpid(child, 0)
    return len(children)


def main() -> None:
    """Try what must not work, and say what happened."""
    asked = json.loads(sys.stdin.read())
    libc = ctypes.CDLL(None, use_errno=True)
    status = dict(line.split(":\t", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":\t" in line)
    facts = {
        "ids": [*os.getresuid(), *os.getresgid()],
        "status": {key: value.strip() for key, value in status.items()},
        "no_new_privileges": libc.prctl(_PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0),
        "uid_map": Path("/proc/self/uid_map").read_text().split(),
        "processes": sorted(int(name) for name in os.listdir("/proc") if name.isdigit()),  # noqa: PTH208
        "pid": os.getpid(),
        "visible": [path for path in asked["host_paths"] if Path(path).exists()],
        "root_write": _errno_of(lambda: os.open("/canary", os.O_CREAT | os.O_WRONLY)),
        "library_write": _errno_of(lambda: os.open(os.__file__, os.O_WRONLY)),
        "sysctl_write": _errno_of(lambda: os.open("/proc/sys/kernel/core_pattern", os.O_WRONLY)),
        "workspace_write": _errno_of(lambda: Path("/work/canary").write_text("x")),
        "tcp": _errno_of(lambda: _connect(socket.AF_INET, socket.SOCK_STREAM)),
        "udp": _errno_of(lambda: _connect(socket.AF_INET, socket.SOCK_DGRAM)),
        "netlink": _errno_of(lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW).close()),
        "mount": _raw(libc.mount, b"x", b"/work", b"tmpfs", 0, None),
        "unshare": _raw(libc.unshare, _CLONE_NEWUSER),
        "keyctl": _raw(libc.syscall, _SYS_KEYCTL, 0, -3, 0),
        "namespaces": {path.name: str(path.readlink()) for path in Path("/proc/self/ns").iterdir()},
        "root_flags": os.statvfs("/").f_flag,
        "rlimits": [resource.getrlimit(which)[1] for which in _RLIMITS],
        "environment": [pair.partition("=")[0] for pair in Path("/proc/self/environ").read_text().split("\0") if pair],
        "hostname": os.uname().nodename,
        "forks": _forks(),
    }
    sys.stdout.write(json.dumps(facts))


main()
