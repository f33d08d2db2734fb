"""Asks one question and shows the run until its end."""

from __future__ import annotations

import asyncio
import signal

from mesh.cli.exit_codes import ExitCode
from mesh.cli.follow_run import RunFollower, kind_of
from mesh.cli.interruption import either, end
from mesh.cli.output import Output
from mesh.cli.routing_options import explain_command
from mesh.cli.run_source_grpc import GrpcRunSource, cancel_run
from mesh.cli.run_views import view_for
from mesh.cli.session import Session
from protos.gen.nexus.agent.v1 import agent_pb2
from shared.clock import SystemClock
from shared.ids import new_id

_CODES = {
    "run_finished": ExitCode.OK,
    "run_failed": ExitCode.FAILED,
    "run_cancelled": ExitCode.INTERRUPTED,
}
_CANCEL_PATIENCE_S = 15.0
_NO_ROUTE = "NO_ROUTE"


class Asking:
    """One question on its way to its answer."""

    def __init__(self, session: Session, query: agent_pb2.QueryAgentRequest, output: Output) -> None:
        self._session = session
        self._output = output
        self._query = query
        query.request_id = query.request_id or new_id()
        source = GrpcRunSource(session, query)
        self._follower = RunFollower(source, SystemClock(), asyncio.sleep, self._note_trouble)

    async def run(self) -> ExitCode:
        """Show the run to its end and return the exit code that it stands for.

        Raises:
            NexusError: when the run cannot be started or followed.
        """
        view = view_for(self._output)
        code = ExitCode.FAILED
        async for event in self._follower.events():
            view.show(event)
            code = _CODES.get(kind_of(event), code)
            if event.run_failed.failure.reason == _NO_ROUTE and not self._output.as_json:
                self._output.note(f"`{explain_command(self._query)}` shows it model by model.")
        return code

    async def run_until_interrupted(self) -> ExitCode:
        """As `run`; Ctrl-C cancels the run and shows its end, a second one leaves at once."""
        interrupted = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, interrupted.set)
        following = asyncio.create_task(self.run())
        cancelling = None
        try:
            if await either(following, interrupted):
                return following.result()
            interrupted.clear()
            cancelling = asyncio.create_task(self._cancel(following))
            if await either(cancelling, interrupted):
                cancelling.result()
        finally:
            await end(following)
            if cancelling is not None:
                await end(cancelling)
        return ExitCode.INTERRUPTED

    async def _cancel(self, following: asyncio.Task[ExitCode]) -> None:
        """Cancel the run and wait a while for its end. A run whose first event has not come has no name yet."""
        if not self._follower.run_id:
            return
        self._output.note("Cancelling ...", "yellow")
        await cancel_run(self._session, self._follower.run_id, new_id())
        _, late = await asyncio.wait({following}, timeout=_CANCEL_PATIENCE_S)
        if late:
            self._output.note("The run has not stopped yet; `nexus runs list` shows when it has.", "yellow")

    def _note_trouble(self, sentence: str) -> None:
        self._output.note(sentence, "yellow")
