"""Moves files between artifacts and where programs run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from shared.errors import Forbidden, NexusError
from tool_executor.domain.artifact import NewArtifact, OpenArtifact, size_words
from tool_executor.domain.tool_call import ArtifactHandle, CallContext, ToolFailure
from tool_executor.domain.workspace_file import FileIn
from tool_executor.ports.artifact_store import ArtifactStore
from tool_executor.ports.workspace import Workspace

MOST_GIVEN_BYTES = 6 * 1024 * 1024
"""Of all artifacts that a program without a workspace is given."""
_PIECE_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Load:
    """An artifact to put into a workspace: its id, and where; empty for its name."""

    artifact_id: str
    path: str = ""


@dataclass(frozen=True, slots=True)
class LeftFile:
    """A file to keep: its path, and what gives its bytes."""

    path: str
    pieces: Callable[[], AsyncIterator[bytes]]


class MoveArtifacts:
    """Loads artifacts, and makes them of files.

    Args:
        store: has the artifacts.
    """

    def __init__(self, store: ArtifactStore) -> None:
        self._store = store

    async def into(self, workspace: Workspace, load: Load, call: CallContext) -> tuple[str, int]:
        """Put an artifact of the caller's organisation into a workspace; return its path and size.

        Raises:
            Forbidden: PERMISSION_DENIED, without `artifacts.read`.
            NotFound: ARTIFACT_UNKNOWN.
            InvalidInput, PreconditionFailed: as `Workspace.write`.
        """
        opened = await self._open(load, call)
        path = load.path or opened.artifact.name
        return path, await workspace.write(path, opened.pieces)

    async def given(self, loads: tuple[Load, ...], call: CallContext) -> tuple[FileIn, ...]:
        """Return artifacts as files for a program without a workspace.

        Raises:
            Forbidden, NotFound: as `into`.
            ToolFailure: ARTIFACTS_TOO_LARGE.
        """
        files: list[FileIn] = []
        left = MOST_GIVEN_BYTES
        for load in loads:
            opened = await self._open(load, call)
            left -= opened.artifact.size_bytes
            if left < 0:
                raise ToolFailure(
                    "ARTIFACTS_TOO_LARGE",
                    f"Without a conversation a program is given at most {size_words(MOST_GIVEN_BYTES)} of artifacts. "
                    "Call the tool with a conversation_id, or give it less.",
                )
            data = b"".join([piece async for piece in opened.pieces])
            files.append(FileIn(load.path or opened.artifact.name, data))
        return tuple(files)

    async def keep(self, tool: str, call: CallContext, file: LeftFile) -> ArtifactHandle:
        """Make an artifact of a file, under the last part of its path.

        Raises:
            NexusError: as `ArtifactStore.put`, and as reading the file does.
        """
        new = NewArtifact(file.path, tool=tool, run_id=call.origin.run_id)
        return (await self._store.put(call.principal, new, file.pieces())).handle

    async def keep_all(
        self, tool: str, call: CallContext, files: tuple[LeftFile, ...]
    ) -> tuple[tuple[ArtifactHandle, ...], tuple[str, ...]]:
        """Keep what can be kept; return the handles, and what is to be said of the rest."""
        handles: list[ArtifactHandle] = []
        notes: list[str] = []
        for file in files:
            try:
                handles.append(await self.keep(tool, call, file))
            except NexusError as error:
                notes.append(f"{file.path} could not be kept: {error.message} [{error.reason}]")
        return tuple(handles), tuple(notes)

    async def _open(self, load: Load, call: CallContext) -> OpenArtifact:
        if not call.principal.may("artifacts.read"):
            raise Forbidden(
                "PERMISSION_DENIED",
                "This needs the permission artifacts.read, which your roles do not give.",
                metadata={"permission": "artifacts.read"},
            )
        return await self._store.open(call.principal, load.artifact_id.lower())


def workspace_file(workspace: Workspace, path: str) -> LeftFile:
    """Return a file of a workspace, to be read in pieces while it is kept."""

    async def pieces() -> AsyncIterator[bytes]:
        offset = 0
        while True:
            data = (await workspace.read(path, offset, _PIECE_BYTES)).data
            yield data
            offset += len(data)
            if len(data) < _PIECE_BYTES:
                return

    return LeftFile(path, pieces)
