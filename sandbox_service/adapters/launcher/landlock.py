"""Landlock: a second layer around a program's files, network and signals, beside mounts and namespaces.

It is enforced on the program alone, by the program's own process before untrusted code is near, and cannot be undone.
Rights and versions: include/uapi/linux/landlock.h of Linux.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from sandbox_service.adapters.launcher import kernel

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_FOLDER = 1, 2, 4, 8
_READ = _EXECUTE | _READ_FILE | _READ_FOLDER
_VERSION_1 = (1 << 13) - 1
_REFER, _TRUNCATE = 1 << 13, 1 << 14  # versions 2 and 3
_TCP = 3  # bind and connect, version 4
_ABSTRACT_SOCKETS, _SIGNALS = 1, 2  # version 6
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full")


def _files(version: int) -> int:
    handled = _VERSION_1
    if version >= 2:
        handled |= _REFER
    if version >= 3:
        handled |= _TRUNCATE
    return handled


def restrict(writable: Sequence[str], *, network: bool) -> bool:
    """Let this process and all it starts read everything and write below `writable` alone.

    Args:
        writable: folders.
        network: whether TCP is left alone, because an address inside the sandbox leads to the way out.

    Returns:
        Whether the kernel enforces it.
    """
    version = kernel.landlock_version()
    if version < 1:
        return False
    files = _files(version)
    ruleset = kernel.landlock_ruleset(
        files,
        _TCP if version >= 4 and not network else 0,
        _ABSTRACT_SOCKETS | _SIGNALS if version >= 6 else 0,
    )
    kernel.landlock_allow(ruleset, "/", _READ)
    for folder in writable:
        kernel.landlock_allow(ruleset, folder, files)
    for device in _DEVICES:
        with suppress(FileNotFoundError):  # not all of them are shown everywhere
            kernel.landlock_allow(ruleset, device, _READ_FILE | _WRITE_FILE)
    kernel.landlock_restrict(ruleset)
    return True
