"""Files between this machine and a session, of any size that the session takes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mesh.cli.artifact_file import written
from mesh.cli.printable import printable
from mesh.cli.sandbox.client import SandboxClient
from mesh.cli.sandbox.inputs import check_path
from shared.errors import AlreadyExists, InvalidInput, UpstreamDown
from tool_executor.domain.artifact import size_words

_PIECE_BYTES = 2 << 20

Tell = Callable[[str], None]
"""Takes how far it is."""


async def put(client: SandboxClient, session_id: str, file: Path, path: str, tell: Tell) -> tuple[str, int]:
    """Write a file of this machine into the workspace, under its own name where `path` is empty.

    Returns:
        Its path in the workspace, and its size in bytes.

    Raises:
        InvalidInput: reason FILE_UNREADABLE or PATH_INVALID.
        NexusError: when the session does not take it.
    """
    path = path or file.name
    check_path(path)
    size = 0
    try:
        with file.open("rb") as opened:
            while True:
                data = opened.read(_PIECE_BYTES)
                if not data and size:
                    return path, size
                size = await client.write(session_id, path, size, data)
                tell(f"{printable(path)}: {size_words(size)}")
                if not data:
                    return path, size
    except OSError as error:
        raise InvalidInput("FILE_UNREADABLE", f"{file} cannot be read: {error.strerror}.") from error


def target_of(path: str, wished: Path | None, *, force: bool) -> Path:
    """Return where to write the file at `path`: to `wished`, into it when it is a folder, or here.

    Raises:
        AlreadyExists: reason FILE_EXISTS.
        InvalidInput: reason PATH_INVALID.
    """
    check_path(path)
    name = path.rpartition("/")[2]
    target = Path(name) if wished is None else wished / name if wished.is_dir() else wished
    if not force and (target.exists() or target.is_symlink()):
        raise AlreadyExists("FILE_EXISTS", f"{target} is there already. Name another place, or use --force.")
    return target


async def get(client: SandboxClient, session_id: str, path: str, target: Path, tell: Tell, *, force: bool) -> int:
    """Write a file of the workspace to `target`, as a whole or not at all; return its size in bytes.

    Raises:
        AlreadyExists: reason FILE_EXISTS.
        InvalidInput: reason FILE_UNWRITABLE.
        UpstreamDown: reason FILE_CHANGED, when it grew shorter meanwhile.
        NexusError: when the session does not give it.
    """
    done, size = 0, -1
    with written(target, force=force) as opened:
        while done != size:
            chunk = await client.read(session_id, path, done, _PIECE_BYTES)
            size = chunk.size_bytes if size < 0 else size
            opened.write(chunk.data[: size - done])
            done += len(chunk.data[: size - done])
            if chunk.size_bytes < size or (not chunk.data and done < size):
                raise UpstreamDown("FILE_CHANGED", f"{path} changed while it was read; nothing was written. Try again.")
            tell(f"{printable(path)}: {size_words(done)} of {size_words(size)}")
    return size
