"""Makes a data directory fit to start a mesh on: folders, keys, a place for sockets."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from mesh.supervisor.domain.data_layout import DataLayout
from shared.errors import PreconditionFailed

_KEY_BYTES = 32
_SOCKET_DIR_PREFIX = "nexus-"
_ON_NEW_FILE_SYSTEMS = "lost+found"


def prepare(layout: DataLayout) -> None:
    """Make the folders, 0700, and the keys that are missing, 0600. Idempotent.

    Raises:
        PreconditionFailed: reason DATA_DIR_UNUSABLE, when that is not possible.
    """
    try:
        _require_for_nexus_alone(layout)
        for folder in layout.folders:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _require_own(folder)
            folder.chmod(0o700)
        for key in (layout.mesh_key, layout.local_model_key):
            _make_key(key)
    except OSError as error:
        raise PreconditionFailed(
            "DATA_DIR_UNUSABLE",
            f"The data directory {layout.root} cannot be used: {error.strerror} ({error.filename}). "
            "Choose another with --data or NEXUS_DATA.",
        ) from error


@contextmanager
def socket_directory(layout: DataLayout, stale: str) -> Generator[Path]:
    """Give the folder of the sockets for the duration of the block.

    That is `run`, or a private folder under the temporary directory when paths in `run` are too long for a socket;
    it is removed afterwards, and so is `stale`, the one that a killed supervisor left behind.
    """
    if stale:
        _remove_own(Path(stale))
    if layout.sockets_fit:
        yield layout.run
        return
    directory = Path(tempfile.mkdtemp(prefix=_SOCKET_DIR_PREFIX))  # 0700 by its contract
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _require_for_nexus_alone(layout: DataLayout) -> None:
    """Refuse a directory that holds other things, a home directory say: it would be closed to everybody else."""
    if not layout.root.is_dir() or layout.mesh_key.exists():
        return
    expected = {folder.name for folder in layout.folders[1:]} | {_ON_NEW_FILE_SYSTEMS}
    foreign = sorted(entry.name for entry in layout.root.iterdir() if entry.name not in expected)
    if foreign:
        raise PreconditionFailed(
            "DATA_DIR_UNUSABLE",
            f"{layout.root} is no data directory: it holds {foreign[0]}. Choose an empty or a new directory with "
            "--data or NEXUS_DATA.",
        )


def _require_own(path: Path) -> None:
    """Refuse what another user made: they could read or exchange the keys. Only root gets here with such a path."""
    if path.stat().st_uid != os.geteuid():
        raise PreconditionFailed(
            "DATA_DIR_UNUSABLE",
            f"{path} belongs to another user, who could read the mesh's keys. Choose a data directory of your own with "
            "--data or NEXUS_DATA, or change its owner.",
        )


def _make_key(path: Path) -> None:
    # Written under another name first, so that a key file is never seen half written.
    if path.exists():
        _require_own(path)
        path.chmod(0o600)
        return
    fresh = path.with_suffix(".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secrets.token_hex(_KEY_BYTES))
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def _remove_own(directory: Path) -> None:
    # The name comes from a file; only a folder that this module made for this user is removed.
    if directory.parent != Path(tempfile.gettempdir()) or not directory.name.startswith(_SOCKET_DIR_PREFIX):
        return
    with suppress(OSError):
        found = directory.lstat()
        if directory.is_dir() and not directory.is_symlink() and found.st_uid == os.getuid():
            shutil.rmtree(directory)
