"""Lets a call through, or refuses it, and writes down what has to be known later."""

from __future__ import annotations

from shared.clock import Clock
from shared.ids import IdSource
from tool_executor.domain.arguments import canonical
from tool_executor.domain.audit_event import AuditEvent
from tool_executor.domain.errors import tool_blocked, tool_disabled
from tool_executor.domain.tool_call import CallContext, ToolFailure
from tool_executor.domain.tool_decision import NO_ARGUMENTS, ArgumentFacts, PolicyQuestion, ToolDecision
from tool_executor.domain.tool_definition import JsonObject, SideEffect, ToolDefinition
from tool_executor.ports.audit_log import AuditLog
from tool_executor.ports.tool_policy import ToolPolicy


class AuthorizeCall:
    """Asks the policy before a call, and audits refusals and effects before anything happens.

    Args:
        policy: decides.
        audit: where events are written.
        clock: tells when.
        new_id: names the events.
    """

    def __init__(self, policy: ToolPolicy, audit: AuditLog, clock: Clock, new_id: IdSource) -> None:
        self._policy = policy
        self._audit = audit
        self._clock = clock
        self._new_id = new_id

    async def __call__(
        self, definition: ToolDefinition, arguments: JsonObject | ToolFailure, context: CallContext
    ) -> None:
        """Return when the call of `definition` may be made.

        Raises:
            PreconditionFailed: TOOL_DISABLED.
            Forbidden: TOOL_BLOCKED, with the policies that decided.
            UpstreamDown: when it is not known what the organisation has set, or the audit cannot be written; the tool
                is not run then.
        """
        question = PolicyQuestion(context.principal, context.origin, context.dry_run, _facts(arguments))
        decision = (await self._policy.decisions(question, [definition]))[0]
        if not decision.allowed:
            await self._note(definition, context, decision)
            raise tool_blocked(definition.name, decision) if decision.enabled else tool_disabled(definition.name)
        happens = not context.dry_run and not isinstance(arguments, ToolFailure)
        if happens and definition.side_effect is not SideEffect.READ:
            await self._note(definition, context, decision)

    async def _note(self, definition: ToolDefinition, context: CallContext, decision: ToolDecision) -> None:
        await self._audit.note(
            AuditEvent(
                event_id=self._new_id(),
                org_id=context.principal.org_id,
                user_id=context.principal.user_id,
                tool=definition.name,
                origin=context.origin,
                allowed=decision.allowed,
                reason=decision.reason,
                policies=decision.policies,
                at=self._clock.now(),
            )
        )


def _facts(arguments: JsonObject | ToolFailure) -> ArgumentFacts:
    if isinstance(arguments, ToolFailure):
        return NO_ARGUMENTS
    return ArgumentFacts(frozenset(arguments), len(canonical(arguments)))
