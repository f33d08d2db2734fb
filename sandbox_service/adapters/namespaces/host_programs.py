"""What of the host a long process needs to start: its program, where its image has none of that name."""
# pathlib would follow links where each step has to be seen.
# ruff: noqa: PTH114, PTH115, PTH116, PTH118, PTH119, PTH120

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from sandbox_service.adapters.launcher.layout import PROGRAMS
from sandbox_service.domain.errors import program_not_found
from sandbox_service.ports.isolation_backend import SandboxSpec

FOLDERS = ("/usr/local/bin", "/usr/bin", "/bin")
"""Where the host's programs are shown from without further permission, one by one."""
_MOST_STEPS = 16
_FIRST_LINE_BYTES = 256
_FOR_ALL = stat.S_IROTH | stat.S_IXOTH
_CHANGEABLE = stat.S_IWGRP | stat.S_IWOTH


class HostPrograms:
    """Finds the program of one sandbox, and the interpreter that its first line names.

    Args:
        spec: what the sandbox was granted.
        shown: paths of the host that every sandbox sees.
    """

    def __init__(self, spec: SandboxSpec, shown: Sequence[Path]) -> None:
        granted = (*spec.read_only_paths, *spec.writable_paths)
        self._seen = tuple(map(PurePosixPath, (*granted, *map(str, shown))))
        self._image = [Path(host) for host, inside in spec.image.binds if inside == PROGRAMS]
        self._steps = 0
        self.files: list[str] = []
        self.links: list[tuple[str, str]] = []

    def find(self, name: str) -> None:
        """Note in `files` and `links` what has to be shown so that `name` can be started.

        Raises:
            PreconditionFailed: PROGRAM_NOT_FOUND.
        """
        if "/" in name:
            self._follow(name, name)
        elif not any(os.path.lexists(folder / name) for folder in self._image):
            places = (os.path.join(folder, name) for folder in FOLDERS)
            path = next(filter(os.path.lexists, places), None)
            if path is None:
                raise program_not_found(
                    name, f"neither the image nor {', '.join(FOLDERS)} of the host has it; name its whole path"
                )
            self._follow(name, path)

    def _follow(self, name: str, path: str) -> None:
        """Go along the links from `path` to a file, all of which the sandbox has to see."""
        while True:
            self._steps += 1
            if self._steps > _MOST_STEPS:
                raise program_not_found(name, "it leads through too many links")
            path = os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
            if any(PurePosixPath(path).is_relative_to(folder) for folder in self._seen):
                if not os.path.islink(path):
                    break
                path = os.path.join(os.path.dirname(path), os.readlink(path))
            elif os.path.dirname(path) not in FOLDERS:
                raise program_not_found(name, f"{path} lies in no folder that it is given; let it read that folder")
            elif os.path.islink(path):
                real = os.path.realpath(path)
                self.links.append((real, path))
                path = real
            else:
                self._take(name, path)
                break
        self._read_first_line(name, path)

    def _take(self, name: str, path: str) -> None:
        try:
            state = os.stat(path)
        except OSError as error:
            raise program_not_found(name, f"{path}: {error.strerror}") from error
        mode = state.st_mode
        if not stat.S_ISREG(mode) or state.st_uid or mode & _CHANGEABLE or mode & _FOR_ALL != _FOR_ALL:
            raise program_not_found(
                name, f"{path} is not a file of root's that all may run and nobody else may change; let it be read"
            )
        self.files.append(path)

    def _read_first_line(self, name: str, path: str) -> None:
        """Find the interpreter of a script."""
        try:
            fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise program_not_found(name, f"{path}: {error.strerror}") from error
        try:
            is_file = stat.S_ISREG(os.fstat(fd).st_mode)
            head = os.read(fd, _FIRST_LINE_BYTES) if is_file else b""
        finally:
            os.close(fd)
        if not head.startswith(b"#!"):
            return
        words = os.fsdecode(head[2:].partition(b"\n")[0]).split()
        if words and os.path.basename(words[0]) == "env":
            self.find(words[0])
            words = [word for word in words[1:] if not word.startswith("-") and "=" not in word]
        if words:
            self.find(words[0])
