"""Compose the prompt of one model call within the model's context."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from orchestrator.domain.agent_state import AgentState, ResultData, TurnData
from orchestrator.domain.chat import ChatMessage, ChatRole, ToolCall, ToolOffer
from orchestrator.domain.conversation import Message, Speaker
from orchestrator.domain.errors import context_too_long
from orchestrator.domain.prompt_budget import (
    Budget,
    budget_of,
    fit_history,
    tokens_of_message,
    tokens_of_offers,
    trimmed,
)
from orchestrator.domain.prompts import HistoryDropped
from orchestrator.domain.quotation import quotation
from orchestrator.ports.prompt_book import PromptBook
from orchestrator.use_cases.run_work import RunWork

SMALL_CONTEXT_TOKENS = 8192
NOTE_TOKENS = 40


@dataclass(frozen=True, slots=True)
class Composed:
    """A prompt, and the most tokens to generate."""

    messages: tuple[ChatMessage, ...]
    max_output_tokens: int


class ComposePrompt:
    """Puts instructions, history, question and the run's own turns in order.

    Answers have at most `max_output_tokens`, and less where the context is small: as many are reserved for each call.
    """

    def __init__(self, prompts: PromptBook, max_output_tokens: int) -> None:
        self._prompts = prompts
        self._max_output_tokens = max_output_tokens

    def __call__(self, work: RunWork, state: AgentState, system: str, offers: Sequence[ToolOffer] = ()) -> Composed:
        """Return the prompt. The oldest history is left out first, with a note; tool results are cut next.

        Raises:
            RunFailure: CONTEXT_TOO_LONG when question and turns alone do not fit.
        """
        context = state.get("context_length", 0)
        budget = budget_of(context)
        question = ChatMessage(ChatRole.USER, work.run.question)
        fixed = tokens_of_message(ChatMessage(ChatRole.SYSTEM, system)) + NOTE_TOKENS + tokens_of_offers(offers)
        asked = tokens_of_message(question)
        room = budget.prompt_tokens - fixed - asked
        if room < 0:
            raise context_too_long(asked, max(budget.prompt_tokens - fixed, 0), _name(state))
        turns = self._fitting_turns(state, budget, room)
        left = room - sum(tokens_of_message(message) for message in turns)
        if left < 0:
            raise context_too_long(asked + room - left, budget.prompt_tokens, _name(state))
        history = fit_history([_as_chat(message) for message in work.history], left)
        if history.dropped:
            system = f"{system}\n\n{self._prompts.render(HistoryDropped(str(history.dropped)))}"
        small = 0 < context <= SMALL_CONTEXT_TOKENS
        return Composed(
            (ChatMessage(ChatRole.SYSTEM, system), *history.messages, question, *turns),
            min(budget.output_tokens, self._max_output_tokens) if small else self._max_output_tokens,
        )

    def _fitting_turns(self, state: AgentState, budget: Budget, room: int) -> list[ChatMessage]:
        turns = list(self._turns(state.get("turns", []), budget.prompt_tokens))
        results = sum(len(turn["results"]) for turn in state.get("turns", []))
        if results and sum(tokens_of_message(message) for message in turns) > room:
            turns = list(self._turns(state.get("turns", []), room // (2 * results)))
        return turns

    def _turns(self, turns: Sequence[TurnData], most_result_tokens: int) -> Iterator[ChatMessage]:
        for turn in turns:
            calls = tuple(ToolCall(call["id"], call["tool"], call["arguments"] or "{}") for call in turn["calls"])
            yield ChatMessage(ChatRole.ASSISTANT, turn["text"], tool_calls=calls)
            for result in turn["results"]:
                text = self._result(result, most_result_tokens)
                yield ChatMessage(ChatRole.TOOL, text, tool_call_id=result["id"])

    def _result(self, result: ResultData, most_tokens: int) -> str:
        content = result["output"] if result["ok"] else f"ERROR: {result['summary']}"
        left = result.get("artifacts", "")
        told = "\n".join(part for part in (trimmed(content, most_tokens), left) if part)
        return self._prompts.render(quotation(result["tool"], told))


def _as_chat(message: Message) -> ChatMessage:
    role = ChatRole.USER if message.speaker is Speaker.USER else ChatRole.ASSISTANT
    return ChatMessage(role, message.text)


def _name(state: AgentState) -> str:
    return state.get("expected_model", "") or "the model"
