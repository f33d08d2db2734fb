"""Lets a call through, or refuses it and writes that down."""

from __future__ import annotations

from tool_executor.domain.arguments import canonical
from tool_executor.domain.errors import tool_blocked, tool_disabled
from tool_executor.domain.tool_call import CallContext, ToolFailure
from tool_executor.domain.tool_decision import NO_ARGUMENTS, ArgumentFacts, PolicyQuestion
from tool_executor.domain.tool_definition import JsonObject, ToolDefinition
from tool_executor.ports.tool_policy import ToolPolicy
from tool_executor.use_cases.note_call import NoteCall


class AuthorizeCall:
    """Asks the policy before a call, and audits refusals. Effects are audited where they begin.

    Args:
        policy: decides.
        note: writes refusals down.
    """

    def __init__(self, policy: ToolPolicy, note: NoteCall) -> None:
        self._policy = policy
        self._note = note

    async def __call__(
        self, definition: ToolDefinition, arguments: JsonObject | ToolFailure, context: CallContext
    ) -> tuple[str, ...]:
        """Return the names of the policies that let the call of `definition` through.

        Raises:
            PreconditionFailed: TOOL_DISABLED.
            Forbidden: TOOL_BLOCKED, with the policies that decided.
            UpstreamDown: when it is not known what the organisation has set, or the audit cannot be written; the tool
                is not run then.
        """
        question = PolicyQuestion(context.principal, context.origin, context.dry_run, _facts(arguments))
        decision = (await self._policy.decisions(question, [definition]))[0]
        if not decision.allowed:
            await self._note(definition.name, context, decision)
            raise tool_blocked(definition.name, decision) if decision.enabled else tool_disabled(definition.name)
        return decision.policies


def _facts(arguments: JsonObject | ToolFailure) -> ArgumentFacts:
    if isinstance(arguments, ToolFailure):
        return NO_ARGUMENTS
    return ArgumentFacts(frozenset(arguments), len(canonical(arguments)))
