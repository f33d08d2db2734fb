"""Gives up every privilege before untrusted code is near."""

from __future__ import annotations

import os
import resource

from sandbox_service.adapters.launcher import kernel
from sandbox_service.adapters.launcher.mounts import INNER_ID
from sandbox_service.adapters.launcher.order import Order

_EINVAL = 22
_MAX_CAPABILITY = 63
# NOROOT, KEEP_CAPS off, NO_CAP_AMBIENT_RAISE, each with its lock: uid 0 means nothing and no capability comes back.
_SECUREBITS = 0x01 | 0x02 | 0x20 | 0x40 | 0x80
_STACK_BYTES = 8 << 20
_DESCRIPTORS = 512


def map_ids(proc_fd: int, inner: int, outer_uid: int, outer_gid: int) -> None:
    """Map one user and one group into the user namespace that the caller has just made."""
    for name, line in (
        ("setgroups", "deny"),
        ("gid_map", f"{inner} {outer_gid} 1"),
        ("uid_map", f"{inner} {outer_uid} 1"),
    ):
        fd = os.open(f"self/{name}", os.O_WRONLY | os.O_CLOEXEC, dir_fd=proc_fd)
        try:
            os.write(fd, line.encode())
        finally:
            os.close(fd)


def _drop_capability_sets() -> None:
    """Empty the bounding and ambient sets and lock the way back; needs CAP_SETPCAP."""
    for capability in range(_MAX_CAPABILITY + 1):
        try:
            kernel.prctl(kernel.PR_CAPBSET_DROP, capability)
        except OSError as error:
            if error.errno != _EINVAL:
                raise
            break  # beyond the last one that this kernel knows
    kernel.prctl(kernel.PR_CAP_AMBIENT, kernel.PR_CAP_AMBIENT_CLEAR_ALL)
    kernel.prctl(kernel.PR_SET_SECUREBITS, _SECUREBITS)


def _nest(proc_fd: int, uid: int, gid: int) -> bool:
    """Enter a user namespace that owns none of the others; say whether the host allows it."""
    # The files of /proc/self belong to root while a process is not dumpable.
    kernel.prctl(kernel.PR_SET_DUMPABLE, 1)
    try:
        kernel.unshare(kernel.CLONE_NEWUSER)
        map_ids(proc_fd, INNER_ID, uid, gid)
    except OSError:
        return False
    return True


def drop(order: Order, proc_fd: int) -> None:
    """Become an unprivileged user for good, without capabilities, in a user namespace of its own.

    Raises:
        OSError: when the kernel refuses a step.
    """
    is_root = order["mode"][0] == "root"
    uid, gid = int(order["uid"][0]), int(order["gid"][0])
    if is_root:
        _drop_capability_sets()
        os.setgroups([])
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
        nested = _nest(proc_fd, uid, gid)
    else:
        nested = _nest(proc_fd, 0, 0)
        if not nested:
            raise OSError(1, "a nested user namespace is refused")
    if nested:
        _drop_capability_sets()
    kernel.clear_capabilities()
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    # PID 1 stays undumpable, so that no program of the same user can look into it; exec makes programs ordinary again.
    kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
    kernel.prctl(kernel.PR_SET_PDEATHSIG, 9)


def limit_resources(order: Order) -> None:
    """Set the rlimits of everything that runs from here on."""
    file_bytes = int(order["workspace_bytes"][0])
    limits = {
        resource.RLIMIT_AS: int(order["address_space_bytes"][0]),
        resource.RLIMIT_NPROC: int(order["processes"][0]) + 1,  # PID 1 is one of them
        resource.RLIMIT_NOFILE: _DESCRIPTORS,
        resource.RLIMIT_FSIZE: file_bytes,
        resource.RLIMIT_CPU: int(order["cpu_s"][0]),
        resource.RLIMIT_STACK: _STACK_BYTES,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_MSGQUEUE: 0,
        resource.RLIMIT_NICE: 0,
        resource.RLIMIT_RTPRIO: 0,
        resource.RLIMIT_SIGPENDING: 1024,
    }
    for which, most in limits.items():
        _, hard = resource.getrlimit(which)
        granted = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(which, (granted, granted))
