"""Validate an answer before it counts as one."""

from __future__ import annotations

from orchestrator.domain.agent_state import AgentState
from orchestrator.domain.chat import FinishReason
from orchestrator.domain.errors import FailureReason, RunFailure
from orchestrator.use_cases.run_work import RunWork

MOST_RETRIES = 1
TRUNCATED = "OUTPUT_TRUNCATED"
TRUNCATED_MESSAGE = "The answer was cut at the model's output limit. Ask for a shorter one, or ask it to go on."

USED_UP_MESSAGE = (
    "The model used up its output limit before it said anything, as by reasoning. Ask for less, or raise "
    "NEXUS_ORCHESTRATOR_MAX_OUTPUT_TOKENS."
)


class ValidateAnswer:
    """The node behind the last turn. An empty answer is asked for once more, by dropping its turn."""

    def __call__(self, work: RunWork, state: AgentState) -> AgentState:
        """Return what changes.

        Raises:
            RunFailure: CONTENT_FILTERED, EMPTY_ANSWER.
        """
        turns = state.get("turns", [])
        reason = state.get("finish_reason", "")
        if reason == FinishReason.CONTENT_FILTER:
            raise RunFailure(
                FailureReason.CONTENT_FILTERED,
                "The provider withheld the answer by its content filter. Rephrase, or choose another model.",
            )
        if turns and turns[-1]["text"]:
            if reason == FinishReason.LENGTH:
                return AgentState(warned=work.warn_once(TRUNCATED, TRUNCATED_MESSAGE, state.get("warned", [])))
            return AgentState()
        if reason == FinishReason.LENGTH:
            raise RunFailure(FailureReason.EMPTY_ANSWER, USED_UP_MESSAGE)
        if state.get("retries", 0) >= MOST_RETRIES:
            raise RunFailure(
                FailureReason.EMPTY_ANSWER,
                "The model gave an empty answer twice. Rephrase the question, or choose another model.",
            )
        return AgentState(turns=turns[:-1], retries=state.get("retries", 0) + 1)
