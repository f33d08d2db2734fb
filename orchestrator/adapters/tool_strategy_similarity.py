"""Plans tool calls for a model that cannot: by clear signs in the question, else by the likeness of vectors."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import aclosing
from zoneinfo import available_timezones

from orchestrator.adapters.tool_vectors import ToolVectors
from orchestrator.domain.chat import ChatCompleted, ChatMessage, ChatRequest, ChatRole, ChatStarted, ChatText
from orchestrator.domain.events import UsageReported
from orchestrator.domain.extract_code import without_code
from orchestrator.domain.json_arguments import json_object_in
from orchestrator.domain.known_arguments import FoundArguments, Setting, known_arguments
from orchestrator.domain.prompts import FillArguments
from orchestrator.domain.split_clauses import split_clauses
from orchestrator.domain.tool_choice import ChoiceRules, choose, likeness_of
from orchestrator.domain.tools import Tool
from orchestrator.ports.embedder import Embedder
from orchestrator.ports.model_client import ModelClient
from orchestrator.ports.prompt_book import PromptBook
from orchestrator.ports.tool_strategy import Plan, PlannedCall, PlanRequest
from shared.errors import NexusError
from shared.telemetry.logging import get_logger

log = get_logger(__name__)

MOST_CALLS = 4
MOST_CHOICE_CHARS = 1000
"""Longer questions are compared by their start: the embedding model sees no more."""
MOST_ARGUMENT_TOKENS = 512


class SimilarityToolStrategy:
    """`ToolStrategy` in three steps, from sure to unsure.

    1. A clear sign decides by itself: a program that shall be run, arithmetic that is all there is to the clause.
    2. Else the embedding model says which tool's texts the clause is most like, and texts that need no tool compete.
    3. Arguments come from the clause by rule where a rule exists, else from the model under the tool's schema.

    A question of several clauses is planned clause by clause.
    """

    def __init__(
        self,
        embedder: Embedder,
        models: ModelClient,
        prompts: PromptBook,
        rules: ChoiceRules | None = None,
    ) -> None:
        self._embedder = embedder
        self._vectors = ToolVectors(embedder)
        self._models = models
        self._prompts = prompts
        self._rules = rules or ChoiceRules()
        self._zones = frozenset(available_timezones())

    async def plan(self, request: PlanRequest) -> Plan:
        """See `ToolStrategy.plan`."""
        setting = Setting(request.now, self._zones)
        code = self._certain(request, request.question, setting, only="execute_code")
        if code is not None:
            return Plan((code,))
        calls: list[PlannedCall] = []
        usage: list[UsageReported] = []
        for clause in split_clauses(without_code(request.question)):
            call, cost = await self._plan_clause(request, clause, setting)
            usage.extend(cost)
            if call is not None and call not in calls:
                calls.append(call)
        return Plan(tuple(calls[:MOST_CALLS]), tuple(usage))

    def _certain(self, request: PlanRequest, clause: str, setting: Setting, *, only: str = "") -> PlannedCall | None:
        for tool in request.tools:
            if only and tool.name != only:
                continue
            found = known_arguments(tool.name, clause, setting)
            if found is not None and found.certain:
                return PlannedCall(tool.name, found.arguments_json)
        return None

    async def _plan_clause(
        self, request: PlanRequest, clause: str, setting: Setting
    ) -> tuple[PlannedCall | None, list[UsageReported]]:
        if not clause.strip():
            return None, []
        certain = self._certain(request, clause, setting)
        if certain is not None:
            return certain, []
        found = {
            tool.name: arguments
            for tool in request.tools
            if (arguments := known_arguments(tool.name, clause, setting)) is not None
        }
        tool = await self._chosen(request, clause, found)
        if tool is None:
            return None, []
        if tool.name in found:
            return PlannedCall(tool.name, found[tool.name].arguments_json), []
        return await self._filled(request, clause, tool)

    async def _chosen(self, request: PlanRequest, clause: str, found: Mapping[str, FoundArguments]) -> Tool | None:
        try:
            reference = await self._vectors.of(request.tools)
            question = (await self._embedder.embed([clause[:MOST_CHOICE_CHARS]]))[0]
        except NexusError as error:
            # Without an embedding model only clear signs choose a tool; the model still answers.
            log.warning("tool_choice_unavailable", reason=error.reason)
            return None
        likeness = likeness_of(question, reference.tools, reference.none)
        evidence = [name for name, arguments in found.items() if arguments.evident]
        name = choose(likeness, evidence, self._rules)
        return next((tool for tool in request.tools if tool.name == name), None)

    async def _filled(
        self, request: PlanRequest, clause: str, tool: Tool
    ) -> tuple[PlannedCall | None, list[UsageReported]]:
        """Return the call with arguments that the model wrote under the tool's schema, or none when it wrote none."""
        prompt = FillArguments(tool.name, tool.description.strip(), request.now.strftime("%A, %Y-%m-%d"), clause)
        chat = ChatRequest(
            model=request.model,
            messages=(ChatMessage(ChatRole.USER, self._prompts.render(prompt)),),
            response_json_schema=tool.input_json_schema,
            temperature=0.0,
            max_output_tokens=MOST_ARGUMENT_TOKENS,
            request_id=request.request_id,
        )
        parts: list[str] = []
        usage: list[UsageReported] = []
        model = request.model
        async with aclosing(self._models.stream(chat, request.timeout_s)) as events:
            async for event in events:
                if isinstance(event, ChatText):
                    parts.append(event.text)
                elif isinstance(event, ChatStarted):
                    model = event.model
                elif isinstance(event, ChatCompleted):
                    usage.append(UsageReported(model, event.input_tokens, event.output_tokens, event.cost_micro_usd))
        arguments = json_object_in("".join(parts)) if parts else None
        return (PlannedCall(tool.name, arguments) if arguments else None), usage
