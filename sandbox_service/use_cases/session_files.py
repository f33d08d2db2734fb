"""Write, read and list the files of a session."""

from __future__ import annotations

from sandbox_service.domain.errors import path_invalid
from sandbox_service.domain.order import Caller
from sandbox_service.domain.run_event import FilePiece
from sandbox_service.domain.workspace import Listing, media_type_of, path_problem
from sandbox_service.use_cases.keep_sessions import KeepSessions

_DEFAULT_PIECE_BYTES = 1 << 20
_SIGNATURE_BYTES = 16


class SessionFiles:
    """The files of sessions, also while a cell runs."""

    def __init__(self, sessions: KeepSessions) -> None:
        self._sessions = sessions

    async def write(self, caller: Caller, session_id: str, path: str, piece: tuple[int, bytes]) -> int:
        """Write a piece, (offset, bytes), after which the file ends; return its size. Idempotent.

        Raises:
            InvalidInput: PATH_INVALID.
            NotFound: SESSION_UNKNOWN.
            PreconditionFailed: FILE_REFUSED, SANDBOX_GONE.
        """
        _check(path)
        async with self._sessions.used(caller, session_id) as kept:
            return await kept.sandbox.write_file(path, *piece)

    async def read(self, caller: Caller, session_id: str, path: str, offset: int, length: int) -> FilePiece:
        """Return at most `length` bytes (0 for 1 MiB) of a file from `offset` on.

        Raises:
            InvalidInput: PATH_INVALID.
            NotFound: SESSION_UNKNOWN, FILE_NOT_FOUND.
            PreconditionFailed: FILE_REFUSED, SANDBOX_GONE.
        """
        _check(path)
        async with self._sessions.used(caller, session_id) as kept:
            data, size = await kept.sandbox.read_file(path, offset, length or _DEFAULT_PIECE_BYTES)
            start = data[:_SIGNATURE_BYTES]
            if offset:
                start, _ = await kept.sandbox.read_file(path, 0, _SIGNATURE_BYTES)
            return FilePiece(path, size, offset, data, media_type_of(path, start))

    async def list(self, caller: Caller, session_id: str) -> Listing:
        """Return the regular files, by path.

        Raises:
            NotFound: SESSION_UNKNOWN.
            PreconditionFailed: SANDBOX_GONE.
        """
        async with self._sessions.used(caller, session_id) as kept:
            return await kept.sandbox.list_files()


def _check(path: str) -> None:
    problem = path_problem(path)
    if problem:
        raise path_invalid(problem)
