"""Plans tool calls for a model that cannot: by clear signs in the question, else by the likeness of vectors."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import replace
from zoneinfo import available_timezones

from orchestrator.adapters.tool_vectors import MOST_CHARS, ToolVectors, vectors_of
from orchestrator.domain.chat import ChatCompleted, ChatMessage, ChatRequest, ChatRole, ChatStarted, ChatText
from orchestrator.domain.events import UsageReported, usage_reported
from orchestrator.domain.extract_code import forbids_running, other_language_wanted, without_code
from orchestrator.domain.json_arguments import json_object_in
from orchestrator.domain.known_arguments import (
    EXECUTE_CODE,
    SHELL,
    FoundArguments,
    Setting,
    known_arguments,
    why_none,
)
from orchestrator.domain.least_schema import least_schema
from orchestrator.domain.prompts import FillArguments, OnlyPython
from orchestrator.domain.split_clauses import split_clauses
from orchestrator.domain.tool_choice import ChoiceRules, choose, likeness_of, named_tool
from orchestrator.domain.tools import Tool
from orchestrator.ports.embedder import Embedder
from orchestrator.ports.model_client import ModelClient
from orchestrator.ports.prompt_book import PromptBook
from orchestrator.ports.tool_strategy import Plan, PlannedCall, PlanRequest
from shared.errors import NexusError
from shared.telemetry.logging import get_logger

log = get_logger(__name__)

MOST_CALLS = 4
MOST_ARGUMENT_TOKENS = 512


class SimilarityToolStrategy:
    """`ToolStrategy` in three steps, from sure to unsure.

    1. A clear sign decides by itself: a program that shall be run, arithmetic that is all there is to the clause, a
       tool that the clause says to use.
    2. Else the embedding model says which tool's texts the clause is most like, and texts that need no tool compete.
    3. Arguments come from the clause by rule where a rule exists, else from the model under the tool's schema. The
       small model that ships writes none for a tool with rules: the plan says why instead.

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

    async def warm(self, tools: tuple[Tool, ...]) -> None:
        """See `ToolStrategy.warm`."""
        await self._vectors.of(tools)

    async def plan(self, request: PlanRequest) -> Plan:
        """See `ToolStrategy.plan`."""
        setting = Setting(request.now, self._zones)
        offered = {tool.name for tool in request.tools}
        code = known_arguments(EXECUTE_CODE, request.question, setting) if EXECUTE_CODE in offered else None
        if code is not None and code.certain:
            return Plan(_calls(EXECUTE_CODE, code))
        shell = known_arguments(SHELL, request.question, setting) if SHELL in offered else None
        if shell is not None and shell.certain:
            return Plan(_calls(SHELL, shell))
        other = other_language_wanted(request.question) if EXECUTE_CODE in offered else ""
        if other:
            return Plan(declined=(OnlyPython(other),))
        if code is not None and forbids_running(request.question):
            others = tuple(tool for tool in request.tools if tool.name != EXECUTE_CODE)
            request, code = replace(request, tools=others), None
        plans = [
            await self._plan_clause(request, clause, setting, {EXECUTE_CODE: code} if code else {})
            for clause in split_clauses(without_code(request.question))
        ]
        return Plan(
            tuple(dict.fromkeys(call for plan in plans for call in plan.calls))[:MOST_CALLS],
            tuple(dict.fromkeys(reason for plan in plans for reason in plan.declined)),
            tuple(usage for plan in plans for usage in plan.usage),
        )

    async def _plan_clause(
        self, request: PlanRequest, clause: str, setting: Setting, given: Mapping[str, FoundArguments]
    ) -> Plan:
        """Plan for one clause; `given` are arguments that stand elsewhere in the question."""
        if not clause.strip():
            return Plan()
        found = {
            **given,
            **{
                tool.name: arguments
                for tool in request.tools
                if (arguments := known_arguments(tool.name, clause, setting)) is not None
            },
        }
        for name, arguments in found.items():
            if arguments.certain:
                return Plan(_calls(name, arguments))
        tool = await self._chosen(request, clause, found)
        if tool is None:
            return Plan()
        if tool.name in found:
            return Plan(_calls(tool.name, found[tool.name]))
        reason = why_none(tool.name, clause, setting) if request.demonstration else None
        return Plan(declined=(reason,)) if reason else await self._filled(request, clause, tool)

    async def _chosen(self, request: PlanRequest, clause: str, found: Mapping[str, FoundArguments]) -> Tool | None:
        names = {tool.name: tool for tool in request.tools}
        named = named_tool(clause[:MOST_CHARS], names)
        if named is not None:
            return names[named]
        try:
            reference = await self._vectors.of(request.tools)
            question = (await vectors_of(self._embedder, [clause[:MOST_CHARS]], request.routing))[0]
        except NexusError as error:
            # Without an embedding model only clear signs choose a tool; the model still answers.
            log.warning("tool_choice_unavailable", reason=error.reason)
            return None
        likeness = likeness_of(question, reference.tools, reference.none)
        evidence = [name for name, arguments in found.items() if arguments.evident]
        name = choose(likeness, evidence, self._rules)
        return names.get(name) if name else None

    async def _filled(self, request: PlanRequest, clause: str, tool: Tool) -> Plan:
        """Plan the call with arguments that the model writes under the tool's schema, or none when it writes none."""
        schema = least_schema(tool.input_json_schema) if request.demonstration else tool.input_json_schema
        if schema is None:
            return Plan((PlannedCall(tool.name, "{}"),))
        prompt = FillArguments(tool.name, tool.description.strip(), request.now.strftime("%A, %Y-%m-%d"), clause)
        chat = ChatRequest(
            model=request.model,
            messages=(ChatMessage(ChatRole.USER, self._prompts.render(prompt)),),
            response_json_schema=schema,
            max_output_tokens=MOST_ARGUMENT_TOKENS,
            request_id=request.request_id,
            conversation_id=request.conversation_id,
            routing=request.routing,
        )
        parts: list[str] = []
        usage: list[UsageReported] = []
        started = ChatStarted(request.model, demonstration=False)
        async with aclosing(self._models.stream(chat, request.timeout_s)) as events:
            async for event in events:
                if isinstance(event, ChatText):
                    parts.append(event.text)
                elif isinstance(event, ChatStarted):
                    started = event
                elif isinstance(event, ChatCompleted):
                    usage.append(usage_reported(started, event))
        arguments = json_object_in("".join(parts)) if parts else None
        return Plan((PlannedCall(tool.name, arguments),) if arguments else (), usage=tuple(usage))


def _calls(tool: str, arguments: FoundArguments) -> tuple[PlannedCall, ...]:
    return tuple(PlannedCall(tool, call) for call in arguments.calls)
