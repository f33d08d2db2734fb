"""Says what to do on a host that does not isolate."""

from __future__ import annotations

import errno
import platform
import sys
from pathlib import Path

from sandbox_service.adapters.namespaces.failures import LaunchFailedError

_MACHINE = "x86_64"
_CONTAINER = (
    "In a container, start it with `--security-opt seccomp=unconfined --security-opt apparmor=unconfined "
    "--security-opt systempaths=unconfined` and, as root, `--cap-add SYS_ADMIN`."
)
_KERNEL = "A newer kernel is needed: Linux 5.12 or later."


def platform_remedy() -> str:
    """Return what is wrong with the machine itself; empty when nothing is."""
    if sys.platform != "linux":
        return "Run the sandbox service on Linux: isolation is built from Linux namespaces."
    if platform.machine() != _MACHINE or sys.maxsize < 1 << 32:
        return (
            f"Run the sandbox service on {_MACHINE} with a 64-bit Python: the system-call filter is written for it, "
            f"and this machine is {platform.machine()}."
        )
    return ""


def _sysctl(name: str) -> str:
    try:
        return Path("/proc/sys", *name.split(".")).read_text().strip()
    except OSError:
        return ""


def launch_remedy(failure: LaunchFailedError) -> str:
    """Return what to do about a launch that failed."""
    if failure.error_number == errno.ENOSYS:
        return _KERNEL
    if failure.stage in ("namespaces", "id_map", "root", "privileges"):
        return _namespace_remedy(failure.error_number)
    if failure.stage == "seccomp":
        return "The kernel needs CONFIG_SECCOMP_FILTER. " + _CONTAINER
    if failure.stage == "exec":
        return (
            "The interpreter cannot be started by an unprivileged user: make its folder readable for all, or list "
            "where its libraries are in NEXUS_SANDBOX_READ_ONLY_PATHS."
        )
    return f"The launcher failed at the step `{failure.stage}`; the service's log has the error."


def _namespace_remedy(error_number: int) -> str:
    steps: list[str] = []
    if _sysctl("kernel.unprivileged_userns_clone") == "0":
        steps.append("`sysctl -w kernel.unprivileged_userns_clone=1`")
    if _sysctl("kernel.apparmor_restrict_unprivileged_userns") == "1":
        steps.append("`sysctl -w kernel.apparmor_restrict_unprivileged_userns=0` (or an AppArmor profile)")
    if error_number == errno.ENOSPC or _sysctl("user.max_user_namespaces") == "0":  # or there are as many as may be
        steps.append("`sysctl -w user.max_user_namespaces=15000`")
    if steps:
        return "As root on the host, run " + " and ".join(steps) + ", then start the service again."
    return "The host refuses namespaces or mounts. " + _CONTAINER
