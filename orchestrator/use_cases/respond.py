"""Respond: finish the answer of a run."""

from __future__ import annotations

from orchestrator.domain.agent_state import AgentState
from orchestrator.domain.fallback import fell_back
from orchestrator.domain.prompts import OfflineInsteadNote, OfflineNote, OfflineToolsNote, Prompt
from orchestrator.ports.prompt_book import PromptBook
from orchestrator.use_cases.run_work import RunWork
from orchestrator.use_cases.speak_turn import SpeakTurn


class Respond:
    """The last node: an answer says in its last line that there is only the offline demonstration model."""

    def __init__(self, prompts: PromptBook) -> None:
        self._prompts = prompts

    async def __call__(self, work: RunWork, state: AgentState) -> AgentState:
        """Return the whole answer.

        Raises:
            LogUnwritable: when the event log cannot be written.
        """
        if not state.get("demonstration", False):
            return AgentState()
        speech = SpeakTurn(work.events, state.get("answer", ""))
        await speech.say(self._prompts.render(_note(state)))
        return AgentState(answer=speech.answer)


def _note(state: AgentState) -> Prompt:
    if fell_back(state.get("warned", [])):
        return OfflineInsteadNote()
    return OfflineNote() if state.get("asked", False) else OfflineToolsNote()
