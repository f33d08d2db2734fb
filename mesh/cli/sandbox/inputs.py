"""What goes in: programs, files and standard input, read from this machine."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from protos.gen.nexus.sandbox.v1 import sandbox_pb2 as pb
from sandbox_service.domain.workspace import path_problem
from shared.errors import InvalidInput

MAX_TEXT_BYTES = 1 << 20
_MAX_FILES_BYTES = 6 << 20
_STDIN = "-"
_SUFFIXES = {".py": "python", ".sh": "shell", ".bash": "shell"}
LANGUAGES = {"python": pb.LANGUAGE_PYTHON, "shell": pb.LANGUAGE_SHELL}


def language_of(name: str, file: str) -> pb.Language.ValueType:
    """Return the language called `name`; where that is empty, by the file's suffix, and Python for standard input.

    Raises:
        InvalidInput: reason LANGUAGE_UNKNOWN.
    """
    known = name or ("python" if file == _STDIN else _SUFFIXES.get(Path(file).suffix.lower(), ""))
    if known not in LANGUAGES:
        what = f"{name} is none of them" if name else f"{file} ends neither in .py nor in .sh"
        raise InvalidInput("LANGUAGE_UNKNOWN", f"Name the language with --language python or shell: {what}.")
    return LANGUAGES[known]


def program_of(file: str) -> str:
    """Return the program in a file; `-` reads it from standard input.

    Raises:
        InvalidInput: reason FILE_UNREADABLE, FILE_TOO_LARGE (over 1 MiB), PROGRAM_EMPTY or PROGRAM_NOT_UTF8.
    """
    return text_of(bytes_of(file))


def text_of(raw: bytes) -> str:
    """Return the program that these bytes hold. Raises as `program_of` does."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidInput(
            "PROGRAM_NOT_UTF8", f"The program is not UTF-8: byte 0x{raw[error.start]:02x} at offset {error.start}."
        ) from error
    if not text.strip():
        raise InvalidInput("PROGRAM_EMPTY", "The program is empty.")
    return text


def bytes_of(file: str, limit: int = MAX_TEXT_BYTES) -> bytes:
    """Return the content of a file, of standard input for `-`.

    Raises:
        InvalidInput: reason FILE_UNREADABLE or FILE_TOO_LARGE (over `limit` bytes).
    """
    try:
        if file == _STDIN:
            return _at_most(sys.stdin.buffer, "Standard input", limit)
        with Path(file).open("rb") as opened:
            return _at_most(opened, file, limit)
    except OSError as error:
        raise InvalidInput("FILE_UNREADABLE", f"{file} cannot be read: {error.strerror}.") from error


def input_files(specs: Sequence[str]) -> list[pb.InputFile]:
    """Return the files that `FILE` or `FILE:PATH` name; PATH is the file's name by default.

    A colon in the name of a file that exists is part of its name.

    Raises:
        InvalidInput: reason FILE_UNREADABLE, FILE_TOO_LARGE (over 6 MiB together) or PATH_INVALID.
    """
    files: list[pb.InputFile] = []
    left = _MAX_FILES_BYTES
    for spec in specs:
        file, path = spec, ""
        if ":" in spec and not Path(spec).exists():
            file, _, path = spec.rpartition(":")
        path = path or Path(file).name
        check_path(path)
        files.append(pb.InputFile(path=path, data=bytes_of(str(Path(file)), left)))
        left -= len(files[-1].data)
    return files


def check_path(path: str) -> None:
    """Refuse what cannot be a path in a workspace.

    Raises:
        InvalidInput: reason PATH_INVALID.
    """
    problem = path_problem(path)
    if problem:
        raise InvalidInput("PATH_INVALID", f"The path {path!r} {problem}.")


def _at_most(opened: BinaryIO, name: str, limit: int) -> bytes:
    content = opened.read(limit + 1)
    if len(content) > limit:
        raise InvalidInput(
            "FILE_TOO_LARGE",
            f"{name} is too large: programs and standard input may have 1 MiB, files that go in with a run 6 MiB "
            "together. `nexus sandbox sessions put` takes larger files.",
        )
    return content
