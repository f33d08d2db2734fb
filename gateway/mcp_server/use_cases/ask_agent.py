"""Has the agent answer a question for a client that waits."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field

from gateway.mcp_server.domain.artifact import Artifact
from gateway.mcp_server.domain.errors import Reason, failure
from gateway.mcp_server.domain.question import Question
from gateway.mcp_server.domain.run_event import Answered, Began, Broke, Noted, RunEvent, Voided, Wrote
from gateway.mcp_server.ports.agent import Agent
from gateway.mcp_server.ports.artifact_shelf import ArtifactShelf
from shared.auth.principal import Principal
from shared.clock import Clock
from shared.errors import NexusError

Tell = Callable[[str], Awaitable[None]]
_TEXT_EVERY_S = 0.25
_CANCEL_S = 5.0
_READS = "artifacts.read"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a run came to.

    Attributes:
        run_id: The run; empty where none began.
        conversation_id: Where it belongs to.
        answer: The answer; what there is of it where it failed.
        warnings: What a person should know.
        artifacts: What the run left.
        broke: Why it failed, or None.
    """

    run_id: str
    conversation_id: str
    answer: str
    warnings: tuple[str, ...]
    artifacts: tuple[Artifact, ...]
    broke: Broke | None


class AskAgent:
    """Asks the agent, and tells what happens meanwhile.

    A run is durable and would go on by itself: who stops waiting for this cancels it.
    """

    def __init__(self, agent: Agent, shelf: ArtifactShelf, clock: Clock) -> None:
        self._agent = agent
        self._shelf = shelf
        self._clock = clock
        self._endings: set[asyncio.Task[None]] = set()

    async def settle(self) -> None:
        """Wait until the runs that were given up are cancelled; that takes some seconds at most."""
        await asyncio.gather(*self._endings)

    async def __call__(self, caller: Principal, question: Question, request_id: str, tell: Tell) -> Answer:
        """Return the answer. `tell` is awaited for each thing that is worth a word; text comes in pieces.

        Raises:
            NexusError: There is no run, or it cannot be followed any more.
        """
        story = _Story()
        try:
            async with aclosing(self._agent.ask(question, request_id)) as events:
                async for event in events:
                    await self._hear(event, story, tell)
                    if story.broke is not None or story.is_answered:
                        break
        except asyncio.CancelledError:
            # In a task of its own, since this one may be cancelled again and again: no run goes on for nobody.
            ending = asyncio.create_task(self._give_up(story.run_id, question, request_id))
            self._endings.add(ending)
            ending.add_done_callback(self._endings.discard)
            raise
        if story.broke is None and not story.is_answered:
            raise failure(Reason.RUN_LOST, "The run's events ended before the run. See `nexus runs list`.")
        artifacts = await self._artifacts(caller, story.run_id)
        return Answer(story.run_id, story.conversation_id, story.text, tuple(story.warnings), artifacts, story.broke)

    async def _hear(self, event: RunEvent, story: _Story, tell: Tell) -> None:
        if isinstance(event, Wrote):
            story.text += event.text
            story.untold += event.text
            now = self._clock.monotonic()
            if now - story.told_at >= _TEXT_EVERY_S:
                story.told_at = now
                await _tell_text(story, tell)
            return
        await _tell_text(story, tell)
        if isinstance(event, Began):
            story.run_id, story.conversation_id = event.run_id, event.conversation_id
            await tell(f"Run {event.run_id} of conversation {event.conversation_id} began.")
        elif isinstance(event, Noted):
            if event.is_warning:
                story.warnings.append(event.text)
            await tell(event.text)
        elif isinstance(event, Voided):
            story.text = ""
            await tell("The text so far is void: a step is done again.")
        elif isinstance(event, Answered):
            story.text, story.is_answered = event.answer, True
        else:
            story.broke = event

    async def _give_up(self, run_id: str, question: Question, request_id: str) -> None:
        try:
            async with asyncio.timeout(_CANCEL_S):
                # Where the client left before the run had a name, asking again under the same key names it.
                await self._agent.cancel(run_id or await self._named(question, request_id))
        except (NexusError, TimeoutError):
            # Nobody is there to be told, and the run's own time limit ends it.
            return

    async def _named(self, question: Question, request_id: str) -> str:
        async with aclosing(self._agent.ask(question, request_id)) as events:
            async for event in events:
                if isinstance(event, Began):
                    return event.run_id
        raise failure(Reason.RUN_LOST, "The run has no beginning.")

    async def _artifacts(self, caller: Principal, run_id: str) -> tuple[Artifact, ...]:
        if not caller.may(_READS):
            return ()
        try:
            return (await self._shelf.page("", run_id)).artifacts
        except NexusError:
            # The answer is worth more than the list of what lies beside it.
            return ()


@dataclass(slots=True)
class _Story:
    """What was heard of a run so far."""

    run_id: str = ""
    conversation_id: str = ""
    text: str = ""
    untold: str = ""
    told_at: float = 0.0
    warnings: list[str] = field(default_factory=list[str])
    is_answered: bool = False
    broke: Broke | None = None


async def _tell_text(story: _Story, tell: Tell) -> None:
    if story.untold:
        text, story.untold = story.untold, ""
        await tell(text)
