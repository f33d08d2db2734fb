"""Artifacts as files of this machine: read to be stored, written from what was stored."""

from __future__ import annotations

import hashlib
import os
import secrets
import stat
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from mesh.cli.printable import printable
from protos.gen.nexus.artifacts.v1.artifacts_pb2 import Artifact
from shared.errors import AlreadyExists, InvalidInput, UpstreamDown
from tool_executor.domain.artifact import clean_name, size_words

_LARGEST_UPLOAD_BYTES = 6 * 1024 * 1024
_PIECE_BYTES = 4 * 1024 * 1024

Piece = Callable[[int, int], Awaitable[bytes]]
"""Returns the bytes from an offset on, so many at most."""


def upload_of(file: Path) -> bytes:
    """Return the file's content.

    Raises:
        InvalidInput: reason FILE_UNREADABLE, also for a pipe or device, or FILE_TOO_LARGE (over 6 MiB).
    """
    try:
        # Not to wait for somebody to write into a pipe, which is refused anyway.
        with os.fdopen(os.open(file, os.O_RDONLY | os.O_NONBLOCK), "rb") as opened:
            if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
                raise InvalidInput("FILE_UNREADABLE", f"{file} is not a regular file.")
            content = opened.read(_LARGEST_UPLOAD_BYTES + 1)
    except OSError as error:
        raise InvalidInput("FILE_UNREADABLE", f"{file} cannot be read: {error.strerror}.") from error
    if len(content) > _LARGEST_UPLOAD_BYTES:
        raise InvalidInput("FILE_TOO_LARGE", f"{file} is larger than 6 MiB.")
    return content


def free_path(wished: Path | None, name: str, *, force: bool) -> Path:
    """Return where to write an artifact called `name`: to `wished`, into it when it is a folder, or here.

    Raises:
        AlreadyExists: reason FILE_EXISTS, unless it may be written over.
    """
    # Cleaned here too: what a server says must not lead out of the folder.
    own_name = clean_name(name)
    path = Path(own_name) if wished is None else wished / own_name if wished.is_dir() else wished
    if not force and os.path.lexists(path):
        raise _exists(path)
    return path


async def downloaded(artifact: Artifact, path: Path, piece: Piece, tell: Callable[[str], None], *, force: bool) -> None:
    """Write the artifact to `path`, which shows all of it or, when this raises, what it showed before.

    Args:
        artifact: what it must be: size and digest are checked.
        path: where to.
        piece: reads it.
        tell: takes how far it is.
        force: whether a file that is there may be written over.

    Raises:
        AlreadyExists: reason FILE_EXISTS.
        InvalidInput: reason FILE_UNWRITABLE.
        UpstreamDown: reason ARTIFACT_DAMAGED.
    """
    with written(path, force=force) as opened:
        await _fill(opened, artifact, piece, tell)


@contextmanager
def written(path: Path, *, force: bool) -> Generator[BinaryIO]:
    """Yield a file that becomes `path` at the end of the block, unless that raises.

    Raises:
        AlreadyExists: reason FILE_EXISTS.
        InvalidInput: reason FILE_UNWRITABLE.
    """
    part = path.with_name(f".nexus-{secrets.token_hex(8)}.part")
    try:
        with part.open("xb") as opened:
            yield opened
        if force:
            part.replace(path)
        else:
            # A link is made only where nothing is, also when something came to be there meanwhile.
            path.hardlink_to(part)
    except FileExistsError as error:
        raise _exists(path) from error
    except OSError as error:
        raise InvalidInput("FILE_UNWRITABLE", f"{path} cannot be written: {error.strerror}.") from error
    finally:
        part.unlink(missing_ok=True)


async def _fill(opened: BinaryIO, artifact: Artifact, piece: Piece, tell: Callable[[str], None]) -> None:
    digest, done = hashlib.sha256(), 0
    while done < artifact.size_bytes:
        data = await piece(done, _PIECE_BYTES)
        if not data:
            break
        opened.write(data)
        digest.update(data)
        done += len(data)
        tell(f"{printable(artifact.name)}: {size_words(done)} of {size_words(artifact.size_bytes)}")
    if digest.hexdigest() != artifact.sha256:
        raise UpstreamDown("ARTIFACT_DAMAGED", "What came is not what was stored; nothing was written. Try again.")


def _exists(path: Path) -> AlreadyExists:
    return AlreadyExists("FILE_EXISTS", f"{path} is there already. Name another place, or use --force.")
