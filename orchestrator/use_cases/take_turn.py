"""Take one turn with the model: text, or the tool calls that it asks for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from orchestrator.domain.agent_state import AgentState, CallData, TurnData
from orchestrator.domain.chat import FinishReason
from orchestrator.domain.errors import RunFailure, limit_steps
from orchestrator.domain.fallback import GUIDABLE, must_be_told, why_of
from orchestrator.domain.prompts import InsteadWarning, OfflineToolsWarning, OfflineWarning
from orchestrator.ports.prompt_book import PromptBook
from orchestrator.use_cases.prepare_run import NATIVE, PrepareRun
from orchestrator.use_cases.run_work import RunWork
from orchestrator.use_cases.speak_turn import SpeakTurn
from shared.errors import NexusError

OFFLINE = "OFFLINE_MODEL"
RULES_ALONE = "rules and tools alone"


@dataclass(frozen=True, slots=True)
class Turn:
    """How a turn ended; its text was streamed already.

    `demonstration` is about the model `model`, which took the turn, or would have had it been `asked`.
    """

    finish_reason: FinishReason
    model: str
    demonstration: bool
    asked: bool = True
    calls: Sequence[CallData] = field(default_factory=list[CallData])


class Conversing(Protocol):
    """A way for a model and tools to work together."""

    async def __call__(self, work: RunWork, state: AgentState, speech: SpeakTurn) -> Turn:
        """Take the turn; stream its text and record its usage on the way."""
        ...


class TakeTurn:
    """The node that asks the model. A run whose model turns out not to call tools is guided from then on."""

    def __init__(self, natively: Conversing, guided: Conversing, prepare: PrepareRun, prompts: PromptBook) -> None:
        self._natively = natively
        self._guided = guided
        self._prepare = prepare
        self._prompts = prompts

    async def __call__(self, work: RunWork, state: AgentState) -> AgentState:
        """Return what the turn changes.

        Raises:
            RunFailure: LIMIT_STEPS, CONTEXT_TOO_LONG.
            NexusError: with the router's reason.
            LogUnwritable: when the event log cannot be written.
        """
        steps = state.get("steps", 0)
        if steps >= work.run.limits.max_steps:
            raise limit_steps(work.run.limits.max_steps)
        speech = SpeakTurn(work.events, state.get("answer", ""))
        chosen, turn = await self._take(work, state, speech)
        warned = chosen.get("warned", state.get("warned", []))
        if turn.demonstration:
            kind = OfflineWarning if turn.asked else OfflineToolsWarning
            warned = work.warn_once(OFFLINE, self._prompts.render(kind(turn.model)), warned)
        changes = AgentState(
            turns=[*state.get("turns", []), TurnData(text=speech.text, calls=list(turn.calls), results=[])],
            steps=steps + 1,
            finish_reason=turn.finish_reason.value,
            demonstration=turn.demonstration,
            asked=state.get("asked", False) or turn.asked,
            warned=warned,
            answer=speech.answer,
        )
        if turn.asked:
            changes["expected_model"] = turn.model
        return {**chosen, **changes}

    async def _take(self, work: RunWork, state: AgentState, speech: SpeakTurn) -> tuple[AgentState, Turn]:
        """Return the turn, and what had to be chosen anew for it."""
        if state.get("strategy", NATIVE) != NATIVE:
            return AgentState(), await self._guided(work, state, speech)
        try:
            return AgentState(), await self._natively(work, state, speech)
        except NexusError as error:
            if speech.text or error.reason not in GUIDABLE:
                raise
            return await self._instead(work, state, speech, error)

    async def _instead(
        self, work: RunWork, state: AgentState, speech: SpeakTurn, error: NexusError
    ) -> tuple[AgentState, Turn]:
        """Return the turn of a model that is offered no tools, after `error`, and that it was chosen."""
        for chosen in await self._prepare.instead(state, error):
            try:
                turn = await self._guided(work, {**state, **chosen}, speech)
            except (NexusError, RunFailure) as failed:
                # Of the same model, or where the router chose once more, what is said now is the last word.
                if speech.text or chosen.get("model", "") == state.get("model", ""):
                    raise
                message = failed.failure.message if isinstance(failed, RunFailure) else failed.message
                error.message += f" Nor does {chosen.get('expected_model', '')} answer: {message}"
                continue
            if must_be_told(error.reason):
                warning = self._prompts.render(InsteadWarning(_who(turn), why_of(error)))
                chosen["warned"] = work.warn_once(error.reason, warning, state.get("warned", []))
            return chosen, turn
        raise error


def _who(turn: Turn) -> str:
    if not turn.asked:
        return RULES_ALONE
    return f"the small demonstration model {turn.model}" if turn.demonstration else turn.model
