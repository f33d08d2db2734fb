"""Follows a run or a cell to its end: shows what it writes, keeps what it leaves, and says how the command ends."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

from mesh.cli.artifact_file import written
from mesh.cli.exit_codes import ExitCode
from mesh.cli.sandbox.client import Events
from mesh.cli.sandbox.keeper import Keeper, make_folder
from mesh.cli.sandbox.views import End, View
from protos.gen.nexus.sandbox.v1 import sandbox_pb2 as pb
from shared.errors import NexusError, UpstreamDown

_SIGNALLED = 128
_STATUS_OF_END = {
    pb.EXECUTION_STATUS_TIMEOUT: 124,
    pb.EXECUTION_STATUS_OUT_OF_MEMORY: 137,
    pb.EXECUTION_STATUS_OUTPUT_LIMIT: 137,
    pb.EXECUTION_STATUS_KILLED: 137,
}
_WHY_SKIPPED = {
    "not_found": "no such file",
    "not_regular": "it is no regular file",
    "linked": "it has further names (hard links)",
    "not_permitted": "its permissions forbid it",
    "too_large": "the files are too large together",
    "too_many": "there are too many",
    "path_invalid": "its path leads through a link or out of the workspace",
}


def exit_status_of(finished: pb.ExecutionFinished) -> int:
    """Return the exit status that a program's end stands for: as `timeout` and shells have it, else its own."""
    if finished.status in _STATUS_OF_END:
        return _STATUS_OF_END[finished.status]
    return _SIGNALLED + finished.signal if finished.signal else max(finished.exit_code, 0)


class Follower:
    """Follows one execution.

    Args:
        view: shows it.
        keeper: keeps its results and files.
        closed: gets whether the session is gone with its end; None for a run.
    """

    def __init__(self, view: View, keeper: Keeper, closed: Sequence[bool] | None = None) -> None:
        self._view = view
        self._closed = closed
        self._keeper = keeper
        self._complete = True
        self.execution_id = ""

    async def follow(self, events: Events) -> int:
        """Return the exit status of the program; 1 where it did well and what was asked for could not be kept.

        Raises:
            UpstreamDown: reason STREAM_CUT.
            NexusError: when it cannot be run.
        """
        async for event in events:
            match event.WhichOneof("event"):
                case "started":
                    self.execution_id = event.started.execution_id
                    self._view.started(self.execution_id)
                case "stdout":
                    self._view.stdout(event.stdout)
                case "stderr":
                    self._view.stderr(event.stderr)
                case "result":
                    self._keep_result(event.result)
                case "file":
                    await self._keep_file(event.file, _content(event.file, events))
                case "finished":
                    return self._end(event.finished)
                case _:  # what a newer server may tell
                    pass
        raise _cut()

    def _end(self, finished: pb.ExecutionFinished) -> int:
        for skipped in finished.skipped_files:
            self._lack(f"{skipped.path}: not returned, {_WHY_SKIPPED.get(skipped.reason, skipped.reason)}.")
        status = exit_status_of(finished)
        if not status and not self._complete:
            status = int(ExitCode.FAILED)
        self._view.ended(End(finished, status, None if self._closed is None else any(self._closed)))
        return status

    def _keep_result(self, result: pb.RichOutput) -> None:
        try:
            self._view.result(*self._keeper.keep_result(result))
        except NexusError as error:
            self._lack(error.message)

    async def _keep_file(self, first: pb.FileChunk, content: AsyncGenerator[bytes]) -> None:
        try:
            target = self._keeper.path_of(first.path)
            make_folder(target.parent)
            with written(target, force=self._keeper.force) as opened:
                async for data in content:
                    opened.write(data)
            self._view.file(first, target)
        except UpstreamDown:
            raise
        except NexusError as error:
            self._lack(error.message)
            async for _ in content:  # what comes after it is wanted all the same
                pass

    def _lack(self, sentence: str) -> None:
        self._complete = False
        self._view.trouble(sentence)


async def _content(chunk: pb.FileChunk, events: Events) -> AsyncGenerator[bytes]:
    """Yield the bytes of one file, whose pieces come one after the other."""
    path, size = chunk.path, chunk.size_bytes
    while True:
        yield chunk.data
        if chunk.offset + len(chunk.data) >= size:
            return
        event = await anext(events, None)
        if event is None or event.file.path != path or not event.file.data:
            raise _cut()
        chunk = event.file


def _cut() -> UpstreamDown:
    return UpstreamDown("STREAM_CUT", "The events ended before the program did.")
