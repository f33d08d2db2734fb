"""The files of a sandbox: which paths may be named, which patterns match, what type a file is of."""

from __future__ import annotations

import mimetypes
import re
from dataclasses import dataclass
from functools import lru_cache

MAX_PATH_BYTES = 1024
MAX_NAME_BYTES = 255
_FALLBACK_TYPE = "application/octet-stream"
_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"%PDF-", "application/pdf"),
    (b"PK\x03\x04", "application/zip"),
)
_SIGNED_TYPES = frozenset(name for _, name in _SIGNATURES)
# By hand, for what a host's own table may lack or call otherwise.
_TYPES = {".md": "text/markdown", ".csv": "text/csv", ".json": "application/json", ".parquet": _FALLBACK_TYPE}


@dataclass(frozen=True, slots=True)
class InputFile:
    """A file that goes in.

    Attributes:
        path: relative to the workspace, as `path_problem` allows.
        data: its content.
    """

    path: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Listing:
    """The regular files of a workspace.

    Attributes:
        files: (path, size in bytes, last change in nanoseconds since the epoch), by path.
        truncated: whether there are more.
    """

    files: tuple[tuple[str, int, int], ...]
    truncated: bool


def path_problem(path: str) -> str:
    """Return what is wrong with a path inside a workspace; empty when nothing is."""
    parts = path.split("/")
    problem = ""
    if not path or "\0" in path:
        problem = "must be a path without NUL characters"
    elif path.startswith("/"):
        problem = "must be relative to the workspace, not absolute"
    elif any(part in ("", ".", "..") for part in parts):
        problem = "must not hold empty parts, `.` or `..`"
    elif any(ord(character) < 0x20 or character == "\x7f" for character in path):
        problem = "must not hold control characters"
    elif "\\" in path:
        problem = "must be written with forward slashes"
    else:
        problem = _length_problem(path, parts)
    return problem


def _length_problem(path: str, parts: list[str]) -> str:
    try:
        too_long = len(path.encode()) > MAX_PATH_BYTES or any(len(part.encode()) > MAX_NAME_BYTES for part in parts)
    except UnicodeEncodeError:
        return "must be Unicode text"
    return f"must be at most {MAX_PATH_BYTES} bytes, each part at most {MAX_NAME_BYTES}" if too_long else ""


def is_pattern(path: str) -> bool:
    """Return whether `path` names files by a pattern."""
    return "*" in path or "?" in path


@dataclass(frozen=True, slots=True)
class _Pattern:
    """A pattern as a machine that is in many places at once: bit n means that n characters of it are matched.

    Attributes:
        ones: by character, the places where it is the next one; `?` counts for all but a slash.
        names: places where any characters of a name may come.
        paths: places where anything may come.
        folders: places where whole folders may come.
        end: the place where all is matched.
    """

    ones: dict[str, int]
    any_one: int
    names: int
    paths: int
    folders: int
    end: int


@lru_cache(maxsize=256)
def _pattern(text: str) -> _Pattern:
    ones: dict[str, int] = {}
    any_one = names = paths = folders = 0
    place = 1
    for piece in re.findall(r"\*\*/|\*+|.", text, re.DOTALL):
        if piece == "**/":
            folders |= place
        elif piece == "*":
            names |= place
        elif piece[0] == "*":
            paths |= place
        else:
            if piece == "?":
                any_one |= place
            else:
                ones[piece] = ones.get(piece, 0) | place
            place <<= 1
    return _Pattern(ones, any_one, names, paths, folders, place)


def matches(pattern: str, path: str) -> bool:
    """Return whether `pattern` (`*` and `?` inside one name, `**/` for any folders, `**` for anything) matches `path`.

    The time is that of one look at each character, whatever the pattern: both come from people one does not trust.
    """
    machine = _pattern(pattern)
    at, within = 1, 0
    for character in path:
        ones = machine.ones.get(character, 0)
        if character == "/":
            at = ((at & ones) << 1) | (at & machine.paths) | within
        else:
            within |= at & machine.folders
            at = ((at & (ones | machine.any_one)) << 1) | (at & (machine.names | machine.paths))
        if not at | within:
            return False
    return bool(at & machine.end)


def media_type_of(path: str, start: bytes) -> str:
    """Return the media type of a file by its name and its first bytes; a name that the bytes belie is not believed."""
    for signature, name in _SIGNATURES:
        if start.startswith(signature):
            return name
    suffix = path[path.rfind(".") :].lower() if "." in path.rpartition("/")[2] else ""
    guessed = _TYPES.get(suffix) or mimetypes.guess_type("x" + suffix, strict=True)[0] or _FALLBACK_TYPE
    return _FALLBACK_TYPE if guessed in _SIGNED_TYPES else guessed
