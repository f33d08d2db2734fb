"""The description of an image: its digest is over it, and it has the digest of every file.

Canonical JSON in `image.json`: keys sorted, no spaces. `files` maps each path to (mode, size, SHA-256); a symbolic link
has the mode 0, the size 0 and its target in place of a digest.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from sandbox_service.adapters.images import layout

_BLOCK_BYTES = 1 << 20
_LINK = (0, 0)
FileEntry = tuple[int, int, str]
"""Mode, size in bytes, SHA-256; or 0, 0 and the target of a link."""


class ImageDamaged(Exception):
    """An image is not what its digest says."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an image is.

    Attributes:
        name: its name.
        description: what it is for.
        python: for which interpreter, as `layout.python_tag`.
        packages: what is installed, each `name==version`.
        files: each file with its mode, size and digest.
    """

    name: str
    description: str
    python: str
    packages: tuple[str, ...]
    files: dict[str, FileEntry]

    def encoded(self) -> bytes:
        """Return the canonical bytes."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":")).encode() + b"\n"


def digest_of(encoded: bytes) -> str:
    """Return the digest of an image by its manifest's canonical bytes, hexadecimal."""
    return hashlib.sha256(encoded).hexdigest()


def list_files(folder: Path) -> dict[str, FileEntry]:
    """Return what is in an image's folder, the manifest left out."""
    return {path: (*shape, _content(folder / path)) for path, shape in sorted(_shapes(folder).items())}


def read_manifest(folder: Path, digest: str) -> Manifest:
    """Return the manifest of the image in `folder`.

    Raises:
        ImageDamaged: when there is none, or it is not the one of `digest`.
    """
    try:
        encoded = (folder / layout.MANIFEST).read_bytes()
    except OSError as error:
        raise ImageDamaged(f"{layout.MANIFEST} cannot be read: {error.strerror}") from error
    if digest_of(encoded) != digest:
        raise ImageDamaged(f"{layout.MANIFEST} has another digest")
    found = cast("dict[str, Any]", json.loads(encoded))
    files = {path: cast("FileEntry", tuple(entry)) for path, entry in found["files"].items()}
    return Manifest(found["name"], found["description"], found["python"], tuple(found["packages"]), files)


def check_files(folder: Path, manifest: Manifest, *, fully: bool) -> None:
    """Check that the files are those of the manifest: by mode and size, or by their content too.

    Raises:
        ImageDamaged: when they are not.
    """
    found = _shapes(folder)
    if found.keys() != manifest.files.keys():
        different = sorted(found.keys() ^ manifest.files.keys())
        raise ImageDamaged(f"{len(different)} files are missing or too many, for example {different[0]}")
    for path, (mode, size_bytes, content) in manifest.files.items():
        if found[path] != (mode, size_bytes) or (fully and _content(folder / path) != content):
            raise ImageDamaged(f"{path} has changed")


def _shapes(folder: Path, prefix: str = "") -> dict[str, tuple[int, int]]:
    """Return mode and size of each file below a folder, by relative path; (0, 0) for a symbolic link."""
    found: dict[str, tuple[int, int]] = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            path = f"{prefix}{entry.name}"
            if entry.is_symlink():
                found[path] = _LINK
            elif entry.is_dir():
                found |= _shapes(Path(entry.path), f"{path}/")
            elif path != layout.MANIFEST:
                state = entry.stat(follow_symlinks=False)
                found[path] = (state.st_mode & 0o7777, state.st_size)
    return found


def _content(path: Path) -> str:
    """Return the SHA-256 of a file, or the target of a symbolic link."""
    if path.is_symlink():
        return str(path.readlink())
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()
