"""Whether a call may be made, and who says so."""

from __future__ import annotations

from dataclasses import dataclass

from shared.auth.principal import Principal
from tool_executor.domain.tool_call import NOWHERE, CallOrigin
from tool_executor.domain.tool_definition import ToolDefinition
from tool_executor.domain.tool_scope import ToolScope, narrowing


@dataclass(frozen=True, slots=True)
class ToolRules:
    """What an organisation's settings say of its tools.

    Args:
        disabled: names of the tools that are off.
        scopes: what agents and channels are narrowed to.
    """

    disabled: frozenset[str] = frozenset()
    scopes: tuple[ToolScope, ...] = ()


@dataclass(frozen=True, slots=True)
class ArgumentFacts:
    """What policies may know of a call's arguments: never a value.

    Args:
        names: names of the outermost arguments.
        size_bytes: length of the arguments as JSON.
    """

    names: frozenset[str] = frozenset()
    size_bytes: int = 0


NO_ARGUMENTS = ArgumentFacts()
"""Of a tool that is only looked at."""


@dataclass(frozen=True, slots=True)
class PolicyQuestion:
    """A call, as policies see it.

    Args:
        principal: on whose behalf.
        origin: what the call is part of.
        dry_run: whether it only tells what it would do.
        arguments: what is known of its arguments.
    """

    principal: Principal
    origin: CallOrigin = NOWHERE
    dry_run: bool = False
    arguments: ArgumentFacts = NO_ARGUMENTS


@dataclass(frozen=True, slots=True)
class ToolDecision:
    """Whether a tool may be called.

    Args:
        enabled: whether the organisation has it switched on.
        allowed: whether permissions, scopes and policies let this call through.
        reason: one sentence that says why not; empty when it is allowed.
        policies: names of what decided, sorted: policies, `scope:...`, `permission:...`; empty when nothing names it.
    """

    enabled: bool
    allowed: bool
    reason: str = ""
    policies: tuple[str, ...] = ()


def decide_before_policies(rules: ToolRules, question: PolicyQuestion, tool: ToolDefinition) -> ToolDecision | None:
    """Return what settings and permissions say against a call; None when they leave it to the policies."""
    if tool.name in rules.disabled:
        return ToolDecision(enabled=False, allowed=False, reason="It is disabled for the organisation.")
    lacking = [each for each in tool.permissions if not question.principal.may(each)]
    if lacking:
        named = ", ".join(lacking)
        reason = f"It needs the permission {named}, which the caller's roles do not give."
        return _blocked(reason, [f"permission:{each}" for each in lacking])
    scopes = narrowing(rules.scopes, question.origin, tool.name)
    if scopes:
        labels = sorted({each.label for each in scopes})
        return _blocked(f"It is outside of {', '.join(labels)}.", labels)
    return None


def decision_without_policies(problem: str) -> ToolDecision:
    """Return the refusal of an organisation whose policy file is wrong, for `problem`: nobody knows what it forbids."""
    return _blocked(f"The organisation's tool policies cannot be used: {problem}.", [])


def decision_of_policies(*, permitted: bool, deciding: list[str], failed: bool) -> ToolDecision:
    """Return what policies say of a call.

    Args:
        permitted: whether they permit it.
        deciding: those that decided.
        failed: whether one could not be evaluated; the call is refused then, since that one might have forbidden it.
    """
    if failed:
        return _blocked("A policy could not be evaluated.", deciding)
    if permitted:
        return ToolDecision(enabled=True, allowed=True, policies=tuple(sorted(deciding)))
    if deciding:
        return _blocked(f"The policy {', '.join(sorted(deciding))} forbids it.", deciding)
    return _blocked("No policy permits it.", [])


def _blocked(reason: str, policies: list[str]) -> ToolDecision:
    return ToolDecision(enabled=True, allowed=False, reason=reason, policies=tuple(sorted(policies)))
