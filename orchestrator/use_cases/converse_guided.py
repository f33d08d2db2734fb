"""Converse with a model that cannot call tools: plan the calls for it, and state their results by template."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.domain.agent_state import AgentState, CallData, ResultData, TurnData
from orchestrator.domain.chat import ChatRequest, FinishReason
from orchestrator.domain.prompts import AnswerFromFailedTool, AnswerFromTool, SystemPlain
from orchestrator.ports.prompt_book import PromptBook
from orchestrator.ports.tool_catalog import ToolCatalog
from orchestrator.ports.tool_strategy import Plan, PlanRequest, ToolStrategy
from orchestrator.use_cases.compose_prompt import ComposePrompt
from orchestrator.use_cases.run_work import RunWork
from orchestrator.use_cases.speak_turn import PARAGRAPH, SpeakTurn
from orchestrator.use_cases.stream_chat import StreamChat
from orchestrator.use_cases.take_turn import Turn


class ConverseGuided:
    """First turn: tool calls or why there are none, else the model's own words. Second turn: the results.

    A small model states results wrongly, so it is not asked to.
    """

    def __init__(
        self,
        chat: StreamChat,
        compose: ComposePrompt,
        catalog: ToolCatalog,
        strategy: ToolStrategy,
        prompts: PromptBook,
    ) -> None:
        self._chat = chat
        self._compose = compose
        self._catalog = catalog
        self._strategy = strategy
        self._prompts = prompts

    async def __call__(self, work: RunWork, state: AgentState, speech: SpeakTurn) -> Turn:
        """See `Conversing`."""
        turns = state.get("turns", [])
        if turns and turns[-1]["results"]:
            return await self._state_results(state, turns[-1], speech)
        if not turns and state.get("retries", 0) == 0:
            plan = await self._plan(work, state)
            asked = bool(plan.usage)
            if plan.declined:
                await speech.say(PARAGRAPH.join(self._prompts.render(reason) for reason in plan.declined))
            if plan.calls:
                calls = [
                    CallData(id=f"call_0_{place}", tool=call.tool, arguments=call.arguments_json)
                    for place, call in enumerate(plan.calls)
                ]
                return self._turn(state, FinishReason.TOOL_CALLS, asked=asked, calls=calls)
            if plan.declined:
                return self._turn(state, FinishReason.STOP, asked=asked)
        return await self._talk(work, state, speech)

    async def _plan(self, work: RunWork, state: AgentState) -> Plan:
        tools = await self._catalog.tools(work.origin)
        if not tools:
            return Plan()
        request = PlanRequest(
            question=work.run.question,
            tools=tools,
            now=work.local_now(),
            model=state.get("model", ""),
            timeout_s=work.remaining_s(),
            request_id=f"{work.run.run_id}:plan",
            conversation_id=work.run.conversation_id,
            routing=work.run.routing,
            demonstration=state.get("demonstration", False),
        )
        plan = await self._strategy.plan(request)
        for usage in plan.usage:
            work.events.note(usage, urgent=False)
        return plan

    async def _state_results(self, state: AgentState, turn: TurnData, speech: SpeakTurn) -> Turn:
        stated = [self._stated(result) for result in turn["results"]]
        await speech.say(PARAGRAPH.join(stated))
        return self._turn(state, FinishReason.STOP, asked=False)

    def _stated(self, result: ResultData) -> str:
        summary, left = result["summary"], result.get("artifacts", "")
        prompt = AnswerFromTool(summary) if result["ok"] else AnswerFromFailedTool(result["tool"], summary)
        stated = self._prompts.render(prompt)
        return f"{stated}{PARAGRAPH}{left}" if left else stated

    async def _talk(self, work: RunWork, state: AgentState, speech: SpeakTurn) -> Turn:
        streamed = await self._chat(work, self.request(work, state), speech)
        return Turn(streamed.completed.finish_reason, streamed.started.model, streamed.started.demonstration)

    def request(self, work: RunWork, state: AgentState) -> ChatRequest:
        """Return what the model is asked where no tool answers. Raises RunFailure: CONTEXT_TOO_LONG."""
        prompt = self._compose(work, state, self._prompts.render(SystemPlain(work.today())))
        return ChatRequest(
            model=state.get("model", ""),
            messages=prompt.messages,
            max_output_tokens=prompt.max_output_tokens,
            request_id=f"{work.run.run_id}:{state.get('steps', 0)}",
            conversation_id=work.run.conversation_id,
            routing=work.run.routing,
        )

    @staticmethod
    def _turn(state: AgentState, reason: FinishReason, *, asked: bool, calls: Sequence[CallData] = ()) -> Turn:
        model, demonstration = state.get("expected_model", ""), state.get("demonstration", False)
        return Turn(reason, model, demonstration, asked, calls)
