"""Copies ordinary programs of the host into an image."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_WHERE = "/usr/bin:/bin:/usr/local/bin"
_PYTHONS = ("python", "python3")


@dataclass(frozen=True, slots=True)
class HostProgram:
    """A program of the host.

    Attributes:
        name: under which it is called.
        path: the file, free of symbolic links.
    """

    name: str
    path: Path


def find_programs(names: Sequence[str]) -> list[HostProgram]:
    """Return those of `names` that the host has, in the same order."""
    found = [(name, shutil.which(name, path=_WHERE)) for name in names]
    return [HostProgram(name, Path(path).resolve()) for name, path in found if path]


def fingerprint(programs: Sequence[HostProgram]) -> str:
    """Return a digest that changes with the programs."""
    digest = hashlib.sha256()
    for program in programs:
        digest.update(f"{program.name}\0{hashlib.sha256(program.path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


def copy_programs(programs: Sequence[HostProgram], interpreter: Path, target: Path) -> None:
    """Fill the new folder `target`: each program once, without set-user-id, further names of it as symbolic links.

    Args:
        programs: what to copy.
        interpreter: the Python that runs in sandboxes, at its place on the host; `python` leads to it.
        target: the folder.
    """
    target.mkdir()
    copies: dict[Path, str] = {}
    for program in programs:
        place = target / program.name
        if program.path in copies:
            place.symlink_to(copies[program.path])
            continue
        shutil.copyfile(program.path, place)
        place.chmod(0o555)
        copies[program.path] = program.name
    for name in _PYTHONS:
        (target / name).symlink_to(interpreter)
