"""Converse with a model that calls tools itself."""

from __future__ import annotations

from orchestrator.domain.agent_state import AgentState
from orchestrator.domain.chat import ChatRequest, ToolOffer
from orchestrator.domain.prompts import SystemNative
from orchestrator.domain.tools import Tool
from orchestrator.ports.prompt_book import PromptBook
from orchestrator.use_cases.choose_offers import ChooseOffers
from orchestrator.use_cases.compose_prompt import ComposePrompt
from orchestrator.use_cases.run_work import RunWork
from orchestrator.use_cases.speak_turn import SpeakTurn
from orchestrator.use_cases.stream_chat import StreamChat
from orchestrator.use_cases.take_turn import Turn


class ConverseNatively:
    """Offers tools with the prompt and takes what the model asks for."""

    def __init__(self, chat: StreamChat, compose: ComposePrompt, choose: ChooseOffers, prompts: PromptBook) -> None:
        self._chat = chat
        self._compose = compose
        self._choose = choose
        self._prompts = prompts

    async def __call__(self, work: RunWork, state: AgentState, speech: SpeakTurn) -> Turn:
        """See `Conversing`."""
        step = state.get("steps", 0)
        streamed = await self._chat(work, await self.request(work, state), speech)
        used = {call["id"] for turn in state.get("turns", []) for call in turn["calls"]}
        return Turn(
            finish_reason=streamed.completed.finish_reason,
            model=streamed.started.model,
            demonstration=streamed.started.demonstration,
            calls=streamed.calls.calls(used, step),
        )

    async def request(self, work: RunWork, state: AgentState) -> ChatRequest:
        """Return what the model is asked in the next turn.

        Raises:
            RunFailure: CONTEXT_TOO_LONG.
            UpstreamDown: when the tool executor does not answer.
        """
        offers = tuple(_offer(tool) for tool in await self._choose(work, state))
        system = self._prompts.render(SystemNative(work.today(), work.config.time_zone))
        prompt = self._compose(work, state, system, offers)
        return ChatRequest(
            model=state.get("model", ""),
            messages=prompt.messages,
            tools=offers,
            max_output_tokens=prompt.max_output_tokens,
            request_id=f"{work.run.run_id}:{state.get('steps', 0)}",
            conversation_id=work.run.conversation_id,
            routing=work.run.routing,
        )


def _offer(tool: Tool) -> ToolOffer:
    return ToolOffer(tool.name, tool.description, tool.input_json_schema)
