"""Checks of the machine: Python, system, disk, memory, clock, what the kernel allows."""

from __future__ import annotations

import platform
import shutil
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import psutil

from mesh.cli.checks.finding import Finding, fail, ok, warn

_PYTHONS = ((3, 11), (3, 14))  # from, up to but not including
_MIB = 2**20
_DISK_FAIL_BYTES = 200 * _MIB
_DISK_WARN_BYTES = 1024 * _MIB
_MEMORY_WARN_BYTES = 1024 * _MIB
# This code did not exist before: a clock that says so is wrong.
_EARLIEST = datetime(2026, 1, 1, tzinfo=UTC)
_PACKAGES = ("nexus-mesh", "grpcio", "protobuf", "xllamacpp")
# Sysctls that, at 0 or 1, keep unprivileged processes from making user namespaces.
_NEEDS_ONE = Path("/proc/sys/kernel/unprivileged_userns_clone")
_NEEDS_MORE_THAN_ZERO = Path("/proc/sys/user/max_user_namespaces")
_NEEDS_ZERO = Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")


def check_host(data: Path) -> list[Finding]:
    """Return what there is to say of the machine."""
    folder = _existing(data)
    return [
        judge_python(sys.version_info[:2], platform.python_version()),
        judge_system(platform.system(), platform.machine()),
        ok("versions", ", ".join(f"{name} {version(name)}" for name in _PACKAGES)),
        judge_disk(shutil.disk_usage(folder).free, folder),
        judge_memory(psutil.virtual_memory().available),
        judge_clock(datetime.now(UTC), datetime.fromtimestamp(folder.stat().st_mtime, UTC)),
        _check_time_zones(),
    ]


def judge_python(found: tuple[int, ...], shown: str) -> Finding:
    """Judge the version of Python."""
    least, beyond = _PYTHONS
    if least <= found < beyond:
        return ok("python", shown)
    return fail("python", shown, f"Install Python {least[0]}.{least[1]} to {beyond[0]}.{beyond[1] - 1}.")


def judge_system(system: str, machine: str) -> Finding:
    """Judge the operating system."""
    if system == "Linux":
        return ok("system", f"{system} {machine}")
    return warn("system", f"{system} {machine}", "Code runs isolated on Linux alone: use a Linux machine or container.")


def judge_disk(free_bytes: int, folder: Path) -> Finding:
    """Judge the free space where the data directory is."""
    detail = f"{free_bytes // _MIB} MiB free at {folder}"
    if free_bytes < _DISK_FAIL_BYTES:
        return fail("disk", detail, "Free space, or choose another data directory with --data.")
    if free_bytes < _DISK_WARN_BYTES:
        return warn("disk", detail, "Free space: databases and logs grow.")
    return ok("disk", detail)


def judge_memory(available_bytes: int) -> Finding:
    """Judge the memory that is available."""
    detail = f"{available_bytes // _MIB} MiB available"
    if available_bytes < _MEMORY_WARN_BYTES:
        return warn("memory", detail, "The whole mesh with the local model needs about 1 GiB: close other programs.")
    return ok("memory", detail)


def judge_clock(now: datetime, data_changed: datetime) -> Finding:
    """Judge the clock: later than this program was made, and than the data directory was last changed."""
    detail = now.strftime("%Y-%m-%d %H:%M:%S UTC")
    if now < _EARLIEST or (data_changed - now).total_seconds() > 60:
        return fail("clock", f"{detail} is in the past", "Set the clock, for example with `timedatectl set-ntp true`.")
    return ok("clock", detail)


def judge_namespaces(values: dict[Path, str]) -> Finding:
    """Judge what the kernel's settings, as texts by path, say of user namespaces; a missing one forbids nothing."""
    name = "isolation"
    if values.get(_NEEDS_ONE) == "0":
        return fail(name, "user namespaces are off", "Run `sysctl -w kernel.unprivileged_userns_clone=1` as root.")
    if values.get(_NEEDS_MORE_THAN_ZERO) == "0":
        return fail(name, "user namespaces are limited to 0", "Run `sysctl -w user.max_user_namespaces=15000` as root.")
    if values.get(_NEEDS_ZERO) == "1":
        return warn(
            name,
            "AppArmor restricts user namespaces",
            "If code does not run: `sysctl -w kernel.apparmor_restrict_unprivileged_userns=0` as root.",
        )
    return ok(name, "the kernel's settings allow it; the whole probe runs while the mesh is up")


def check_namespaces() -> Finding:
    """Judge the kernel's settings, for while the mesh is down."""
    values: dict[Path, str] = {}
    for path in (_NEEDS_ONE, _NEEDS_MORE_THAN_ZERO, _NEEDS_ZERO):
        try:
            values[path] = path.read_text(encoding="ascii").strip()
        except OSError:
            continue
    return judge_namespaces(values)


def _check_time_zones() -> Finding:
    try:
        ZoneInfo("Europe/Berlin")
    except ZoneInfoNotFoundError:
        return fail("time zones", "no time zone data", "Install the package tzdata.")
    return ok("time zones", "found")


def _existing(path: Path) -> Path:
    """Return the path or its nearest parent that exists."""
    return next(folder for folder in (path, *path.parents) if _visible(folder))


def _visible(path: Path) -> bool:
    try:
        path.stat()
    except OSError:  # it is not there, or lies in a folder that others may not enter
        return False
    return True
