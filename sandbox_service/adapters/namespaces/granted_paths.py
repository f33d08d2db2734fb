"""Which paths of the host a sandbox can be given at the place where they are."""

from __future__ import annotations

import os
from pathlib import PurePosixPath

from sandbox_service.adapters.launcher.layout import PROGRAM_FOLDER, WRITABLE
from sandbox_service.domain.errors import path_refused
from sandbox_service.ports.isolation_backend import SandboxSpec

_OWN = tuple(
    map(
        PurePosixPath,
        ("/usr/bin", "/bin", "/lib", "/lib64", "/etc/passwd", "/etc/group", "/etc/hosts", *WRITABLE, PROGRAM_FOLDER),
    )
)
_NOTHING_BELOW = tuple(map(PurePosixPath, ("/proc", "/sys", "/dev", "/image", PROGRAM_FOLDER)))


def require_grantable(spec: SandboxSpec) -> None:
    """Check the paths of a sandbox.

    Raises:
        PreconditionFailed: PATH_REFUSED, with the path and the reason.
    """
    for path in (*spec.read_only_paths, *spec.writable_paths):
        if os.path.realpath(path) != path:
            raise path_refused(path, "it leads through a symbolic link; name the real path")
        if not os.path.exists(path):  # noqa: PTH110  beside realpath
            raise path_refused(path, "it does not exist")
        pure = PurePosixPath(path)
        hidden = next((own for own in (*_OWN, *_NOTHING_BELOW) if own.is_relative_to(pure)), None)
        if hidden is not None:
            raise path_refused(path, f"programs find a {hidden} of their own; name what is needed of it")
        below = next((own for own in _NOTHING_BELOW if pure.is_relative_to(own)), None)
        if below is not None and not pure.is_relative_to("/dev/shm"):  # noqa: S108  a folder for files
            raise path_refused(path, f"nothing below {below} is given to programs")
