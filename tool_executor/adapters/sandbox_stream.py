"""What the sandbox streams of a run or a cell, put together within bounds."""

from __future__ import annotations

from protos.gen.nexus.sandbox.v1 import sandbox_pb2 as pb
from shared.errors import NexusError, NotFound, PreconditionFailed, UpstreamDown
from tool_executor.domain.code_run import CodeLanguage, CodeRun, CodeStatus, Form
from tool_executor.domain.workspace_file import FileChoice, FileIn, LeftFiles

IMAGES = ("data", "base")
"""The images in which programs run, the best first; a host may not have set up all of them."""
SHOWN_BYTES = 4 * 1024 * 1024
"""Most bytes of pictures and values, beside what is printed."""
LANGUAGES = {CodeLanguage.PYTHON: pb.LANGUAGE_PYTHON, CodeLanguage.SHELL: pb.LANGUAGE_SHELL}
_STATUSES = {
    pb.EXECUTION_STATUS_OK: CodeStatus.OK,
    pb.EXECUTION_STATUS_ERROR: CodeStatus.ERROR,
    pb.EXECUTION_STATUS_TIMEOUT: CodeStatus.TIMEOUT,
    pb.EXECUTION_STATUS_OUT_OF_MEMORY: CodeStatus.OUT_OF_MEMORY,
    pb.EXECUTION_STATUS_OUTPUT_LIMIT: CodeStatus.OUTPUT_LIMIT,
    pb.EXECUTION_STATUS_KILLED: CodeStatus.KILLED,
    pb.EXECUTION_STATUS_POLICY: CodeStatus.POLICY,
}
_NOT_THERE = frozenset({"IMAGE_NOT_SET_UP", "IMAGE_UNKNOWN"})
_UNTOLD = frozenset({"not_found", "not_regular", "linked", "path_invalid"})
_GONE_WITH_IT = "What it leaves is gone after a run without a conversation."


def is_missing_image(error: NexusError) -> bool:
    """Return whether a refusal means that the image is not there."""
    return isinstance(error, NotFound | PreconditionFailed) and error.reason in _NOT_THERE


class _Capped:
    """Collects bytes up to a limit and lets the rest go."""

    def __init__(self, limit_bytes: int) -> None:
        self._kept = bytearray()
        self._limit_bytes = limit_bytes
        self.cut = False

    def add(self, chunk: bytes) -> None:
        """Keep of `chunk` what fits."""
        room = self._limit_bytes - len(self._kept)
        self._kept += chunk[:room]
        self.cut = self.cut or len(chunk) > room

    def text(self) -> str:
        """Return what was kept; bytes that are no UTF-8 are replaced."""
        return self._kept.decode("utf-8", "replace")


class RunReader:
    """Collects the events of one run.

    Args:
        output_limit_bytes: most bytes of each stream that are kept.
        given: files that went in; those that come out as they were are not what it left.
    """

    def __init__(self, output_limit_bytes: int, given: tuple[FileIn, ...] = ()) -> None:
        self._stdout = _Capped(output_limit_bytes)
        self._stderr = _Capped(output_limit_bytes)
        self._given = {file.path: file.data for file in given}
        self._shown: list[tuple[Form, ...]] = []
        self._files: dict[str, tuple[int, bytearray]] = {}
        self._choice = FileChoice()
        self._finished: pb.ExecutionFinished | None = None

    def add(self, event: pb.ExecuteResponse) -> None:
        """Take one event."""
        self._stdout.add(event.stdout)
        self._stderr.add(event.stderr)
        if event.HasField("result"):
            self._shown.append(tuple(Form(form.media_type, form.data) for form in event.result.forms))
        elif event.HasField("file"):
            self._add_file(event.file)
        elif event.HasField("finished"):
            self._finished = event.finished

    def run(self, *, session_ended: bool = False) -> CodeRun:
        """Return what came of the run.

        Raises:
            UpstreamDown: SANDBOX_ANSWER_BROKEN, when the sandbox did not say how it ended.
        """
        finished = self._finished
        if finished is None or finished.status not in _STATUSES:
            raise UpstreamDown(
                "SANDBOX_ANSWER_BROKEN", "The sandbox did not say how the program ended. Try again in a moment."
            )
        return CodeRun(
            status=_STATUSES[finished.status],
            exit_code=finished.exit_code,
            stdout=self._stdout.text(),
            stderr=self._stderr.text(),
            wall_time_s=finished.wall_time.ToNanoseconds() / 1e9,
            shown=tuple(self._shown),
            output_cut=self._stdout.cut or self._stderr.cut,
            session_ended=session_ended,
        )

    def left(self) -> LeftFiles:
        """Return the files that it left."""
        for skipped in self._finished.skipped_files if self._finished else ():
            if skipped.reason not in _UNTOLD:
                self._choice.leave_out(skipped.path)
        files: list[FileIn] = []
        for path, (size, data) in self._files.items():
            if len(data) != size:
                self._choice.leave_out(path)
            elif (file := FileIn(path, bytes(data))).data != self._given.get(path):
                files.append(file)
        return LeftFiles(tuple(files), self._choice.notes(_GONE_WITH_IT))

    def _add_file(self, chunk: pb.FileChunk) -> None:
        if chunk.offset == 0 and self._choice.takes(chunk.path, chunk.size_bytes):
            self._files[chunk.path] = (chunk.size_bytes, bytearray())
        size, kept = self._files.get(chunk.path, (0, bytearray()))
        # What a process that the program left behind still changes has no size that holds.
        if len(kept) + len(chunk.data) <= size:
            kept += chunk.data
