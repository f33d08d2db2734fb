"""Which routers on a database are alive.

Each router holds a lock on a file of its own beside the database for as long as it lives. The kernel lets go of the
lock the moment the process ends, however it ends, and keeps it for one that is merely slow or stopped: unlike with a
heartbeat, nobody is thought dead who is not, and nobody has to wait to be sure. All who share a SQLite file are on one
machine, so all see the locks.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from shared.errors import UpstreamDown


class RouterPresence:
    """Announces this router, and tells whether another one is gone.

    Args:
        database: The shared file; the locks are in a folder beside it.
        router_id: Unique to this start of the process, never used again; safe as a file name.
    """

    def __init__(self, database: Path, router_id: str) -> None:
        self._folder = database.with_name(f"{database.name}.routers")
        self.router_id = router_id
        self._descriptor: int | None = None

    def announce(self) -> None:
        """Take this router's lock. To be done before anything carries its id.

        Raises:
            UpstreamDown: STORAGE_UNAVAILABLE when the folder cannot be written.
        """
        with _translated():
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._descriptor = os.open(self._folder / self.router_id, os.O_CREAT | os.O_RDWR, 0o600)
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def withdraw(self) -> None:
        """Let go of the lock. Idempotent."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            (self._folder / self.router_id).unlink(missing_ok=True)
            os.close(descriptor)

    def is_gone(self, router_id: str) -> bool:
        """Whether the router of that id does not live any more; it never comes back.

        Raises:
            UpstreamDown: STORAGE_UNAVAILABLE when that cannot be found out.
        """
        path = self._folder / router_id
        with _translated():
            try:
                descriptor = os.open(path, os.O_RDWR)
            except FileNotFoundError:
                return True
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink(missing_ok=True)
            except BlockingIOError:
                return False
            finally:
                os.close(descriptor)
        return True


@contextmanager
def _translated() -> Generator[None]:
    try:
        yield
    except OSError as error:
        raise UpstreamDown("STORAGE_UNAVAILABLE", "The folder of the routers' locks cannot be used.") from error
