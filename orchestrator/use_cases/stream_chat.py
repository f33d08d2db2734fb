"""Stream one model call: speak its text, put its tool calls together, record its usage."""

from __future__ import annotations

from contextlib import aclosing

from orchestrator.domain.chat import ChatCompleted, ChatRequest, ChatStarted, ChatText
from orchestrator.domain.events import usage_reported
from orchestrator.domain.turn_assembly import CallAssembly, StreamedTurn
from orchestrator.ports.model_client import ModelClient
from orchestrator.use_cases.run_work import RunWork
from orchestrator.use_cases.speak_turn import SpeakTurn
from shared.errors import UpstreamDown


class StreamChat:
    """One call of a model on behalf of a run."""

    def __init__(self, models: ModelClient) -> None:
        self._models = models

    async def __call__(self, work: RunWork, request: ChatRequest, speech: SpeakTurn) -> StreamedTurn:
        """Make the call and return what came besides text.

        Raises:
            NexusError: with the router's reason.
            LogUnwritable: when the event log cannot be written.
        """
        started: ChatStarted | None = None
        completed: ChatCompleted | None = None
        calls = CallAssembly()
        async with aclosing(self._models.stream(request, work.remaining_s())) as events:
            async for event in events:
                match event:
                    case ChatText():
                        await speech.say(event.text)
                    case ChatStarted():
                        started = event
                    case ChatCompleted():
                        completed = event
                    case _:
                        calls.add(event)
        if started is None or completed is None:
            raise UpstreamDown("STREAM_CUT", "The provider router ended the answer before it was complete. Ask again.")
        work.events.note(usage_reported(started, completed), urgent=False)
        return StreamedTurn(started, completed, calls)
