"""Gives up every privilege before untrusted code is near."""

from __future__ import annotations

import os
import resource
from collections.abc import Mapping

from sandbox_service.adapters.launcher import kernel
from sandbox_service.adapters.launcher.layout import INNER_ID, Blueprint

_EINVAL = 22
_MAX_CAPABILITY = 63
# NOROOT, KEEP_CAPS off, NO_CAP_AMBIENT_RAISE, each with its lock: uid 0 means nothing and no capability comes back.
_SECUREBITS = 0x01 | 0x02 | 0x20 | 0x40 | 0x80
_STACK_BYTES = 8 << 20
_DESCRIPTORS = 512
# Of 1 byte, too short for any: 0 would still start the host's own handler where core_pattern names one; core(5).
_NO_CORE_DUMP = 1
# What these limit does not exist in gVisor's kernel, which refuses to set them.
_NOT_IN_GVISOR = frozenset(
    (resource.RLIMIT_MSGQUEUE, resource.RLIMIT_NICE, resource.RLIMIT_RTPRIO, resource.RLIMIT_SIGPENDING)
)


def _map_ids(proc_fd: int, inner: int, outer_uid: int, outer_gid: int) -> None:
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


def become_tenant(blueprint: Blueprint) -> None:
    """Become the unprivileged user of the sandboxes for good; nothing to do for a service that is not root."""
    if blueprint.is_root:
        os.setgroups([])
        os.setresgid(blueprint.group_id, blueprint.group_id, blueprint.group_id)
        os.setresuid(blueprint.user_id, blueprint.user_id, blueprint.user_id)


def enter_user_namespace(proc_fd: int, inner: int, namespaces: int) -> None:
    """Enter a new user namespace, and other new namespaces that it owns, as its user `inner`."""
    uid, gid = os.geteuid(), os.getegid()
    # The files of /proc/self belong to root while a process is not dumpable.
    kernel.prctl(kernel.PR_SET_DUMPABLE, 1)
    kernel.unshare(kernel.CLONE_NEWUSER | namespaces)
    _map_ids(proc_fd, inner, uid, gid)


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


def drop(proc_fd: int) -> None:
    """Move into a user namespace that owns none of the others, and keep no capability in it.

    Raises:
        OSError: when the kernel refuses a step.
    """
    enter_user_namespace(proc_fd, INNER_ID, 0)
    _drop_capability_sets()
    kernel.clear_capabilities()
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    # PID 1 stays undumpable, so that no program of the same user can look into it.
    kernel.prctl(kernel.PR_SET_DUMPABLE, 0)


def limit_resources(limits: Mapping[str, int]) -> None:
    """Set the rlimits of this process and all that it starts.

    Args:
        limits: `processes`, `file_bytes`, `cpu_s` and `address_space_bytes`; 0 for no limit of the last two.
    """
    wanted = {
        resource.RLIMIT_AS: limits["address_space_bytes"] or resource.RLIM_INFINITY,
        resource.RLIMIT_NPROC: limits["processes"] + 1,  # PID 1 is one of them
        resource.RLIMIT_NOFILE: _DESCRIPTORS,
        resource.RLIMIT_FSIZE: limits["file_bytes"],
        resource.RLIMIT_CPU: limits["cpu_s"] or resource.RLIM_INFINITY,
        resource.RLIMIT_STACK: _STACK_BYTES,
        resource.RLIMIT_CORE: _NO_CORE_DUMP,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_MSGQUEUE: 0,
        resource.RLIMIT_NICE: 0,
        resource.RLIMIT_RTPRIO: 0,
        resource.RLIMIT_SIGPENDING: 1024,
    }
    for which, most in wanted.items():
        _, hard = resource.getrlimit(which)
        if resource.RLIM_INFINITY in (most, hard):
            granted = hard if most == resource.RLIM_INFINITY else most
        else:
            granted = min(most, hard)
        try:
            resource.setrlimit(which, (granted, granted))
        except ValueError:
            if which not in _NOT_IN_GVISOR:
                raise
