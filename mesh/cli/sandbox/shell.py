"""The interactive shell of a session."""

from __future__ import annotations

import asyncio
import shlex
import signal
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mesh.cli.artifact_file import written
from mesh.cli.exit_codes import ExitCode
from mesh.cli.failures import report
from mesh.cli.interruption import either, end
from mesh.cli.output import Output
from mesh.cli.sandbox.client import SandboxClient
from mesh.cli.sandbox.follow import Follower
from mesh.cli.sandbox.keeper import Keeper
from mesh.cli.sandbox.lines import Cells, is_order
from mesh.cli.sandbox.session_files import get, put, target_of
from mesh.cli.sandbox.views import TextView, View
from mesh.cli.session import Session
from protos.gen.nexus.sandbox.v1 import sandbox_pb2 as pb
from shared.errors import InvalidInput, NexusError, NotFound
from tool_executor.domain.artifact import size_words

HELP = """\
%put FILE [PATH]   write a file of this machine into the workspace
%get PATH [FILE]   write a file of the workspace to this machine; nothing is written over
%files             list the workspace
%save FILE         write the cells that did well so far into a script
%help              this
Ctrl-C interrupts the cell, Ctrl-D leaves. An empty line ends a block of Python."""
_SYNOPSES = {"%put": "%put FILE [PATH]", "%get": "%get PATH [FILE]", "%save": "%save FILE"}
Work = Callable[[SandboxClient], Coroutine[Any, Any, Any]]


@dataclass(slots=True)
class Shell:
    """Runs cells in one session until there are no more, or the session is gone.

    Attributes:
        mesh: where.
        session_id: the sandbox's session.
        output: takes what is not a cell's.
        keeper: keeps the pictures.
        runner: runs what is asynchronous, so that a terminal is read between two runs and not beside them.
    """

    mesh: Session
    session_id: str
    output: Output
    keeper: Keeper
    runner: asyncio.Runner
    is_gone: bool = False
    _done_well: list[str] = field(default_factory=list[str])

    def run(self, cells: Cells) -> int:
        """Run all cells. Returns 0; from a pipe the exit status of the first that fails, after which nothing runs."""
        while not self.is_gone and (cell := cells.next()) is not None:
            try:
                status = self._order(cell) if is_order(cell) else self._cell(cell)
            except NexusError as error:
                status = report(error, as_json=False, trace_id=error.metadata.get("trace_id", ""))
                self.is_gone = isinstance(error, NotFound) and error.reason == "SESSION_UNKNOWN"
            if status and not cells.is_terminal:
                return status
        return ExitCode.OK

    def _call(self, work: Work) -> Any:
        async def connected() -> Any:
            async with self.mesh.connect("sandbox") as link:
                return await work(SandboxClient(link))

        return self.runner.run(connected())

    def _cell(self, code: str) -> int:
        async def work(client: SandboxClient) -> int:
            cell = RunningCell(client, TextView(self.output, brief=True), self.keeper)
            status = await cell.run(pb.ExecuteInSessionRequest(session_id=self.session_id, code=code))
            self.is_gone = cell.session_closed
            return status

        status: int = self._call(work)
        if not status:
            self._done_well.append(code)
        return status

    def _order(self, line: str) -> int:
        try:
            order, *words = shlex.split(line)
        except ValueError as error:
            raise InvalidInput("ORDER_INVALID", f"{line}: {error}.") from error
        match order, words:
            case "%help", []:
                self.output.line(HELP)
            case "%files", []:
                self._call(self._list)
            case "%put", [file, *rest] if len(rest) <= 1:
                self._call(lambda client: self._put(client, Path(file).expanduser(), "".join(rest)))
            case "%get", [path, *rest] if len(rest) <= 1:
                self._call(lambda client: self._get(client, path, Path(rest[0]).expanduser() if rest else None))
            case "%save", [file]:
                self._save(Path(file))
            case _:
                raise InvalidInput("ORDER_INVALID", f"It is: {_SYNOPSES.get(order, order)}")
        return ExitCode.OK

    async def _list(self, client: SandboxClient) -> None:
        reply = await client.files(self.session_id)
        show_files(reply, self.output)

    async def _put(self, client: SandboxClient, file: Path, path: str) -> None:
        with self.output.progress(f"{file.name} ...") as tell:
            path, size = await put(client, self.session_id, file, path, tell)
        self.output.note(f"{path}: {size_words(size)}.")

    async def _get(self, client: SandboxClient, path: str, wished: Path | None) -> None:
        target = target_of(path, wished, force=False)
        with self.output.progress(f"{path} ...") as tell:
            size = await get(client, self.session_id, path, target, tell, force=False)
        self.output.note(f"{target}: {size_words(size)}.")

    def _save(self, file: Path) -> None:
        script = "".join(f"{cell.rstrip()}\n" for cell in self._done_well)
        with written(file.expanduser(), force=False) as opened:
            opened.write(script.encode())
        self.output.note(f"{file}: {len(self._done_well)} cells.")


class RunningCell:
    """One cell of a session, which Ctrl-C interrupts: the session answers whether it lives on."""

    def __init__(self, client: SandboxClient, view: View, keeper: Keeper) -> None:
        self._client = client
        self._closed: list[bool] = []
        self._follower = Follower(view, keeper, self._closed)

    @property
    def session_closed(self) -> bool:
        """Whether the session is gone with the cell."""
        return any(self._closed)

    async def run(self, request: pb.ExecuteInSessionRequest) -> int:
        """Show the cell to its end and return its exit status, 130 after Ctrl-C; a second Ctrl-C leaves at once.

        Raises:
            NexusError: when it cannot be run.
        """
        interrupted = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, interrupted.set)
        following = asyncio.create_task(self._follower.follow(self._client.run_cell(request, self._closed)))
        try:
            if await either(following, interrupted):
                return following.result()
            interrupted.clear()
            if self._follower.execution_id:  # else it waits for another cell: leaving the queue is all there is to do
                await self._cancel()
                await either(following, interrupted)
        finally:
            loop.remove_signal_handler(signal.SIGINT)
            await end(following)
        return ExitCode.INTERRUPTED

    async def _cancel(self) -> None:
        try:
            await self._client.cancel(self._follower.execution_id)
        except NotFound:  # it has just ended
            return


def show_files(reply: pb.ListFilesResponse, output: Output) -> None:
    """Show the files of a workspace."""
    rows = [(file.path, size_words(file.size_bytes)) for file in reply.files]
    output.table(("path", "size"), rows, "The workspace holds no files.")
    if reply.truncated:
        output.note("There are more.", "yellow")
