"""Callers, tools and calls as Cedar sees them, in its JSON form."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from shared.auth.principal import Principal
from tool_executor.domain.tool_decision import PolicyQuestion
from tool_executor.domain.tool_definition import SideEffect, ToolDefinition

Entity: TypeAlias = dict[str, object]
_EFFECTS = tuple(each.value for each in SideEffect if each is not SideEffect.READ)
_ACTIONS: tuple[Entity, ...] = (
    {"uid": {"type": "Action", "id": "effect"}, "attrs": {}, "parents": []},
    *(
        {"uid": {"type": "Action", "id": each}, "attrs": {}, "parents": [{"type": "Action", "id": "effect"}]}
        for each in _EFFECTS
    ),
)


def entities_of(principal: Principal, roles: Iterable[str], tools: Iterable[ToolDefinition]) -> str:
    """Return the caller, who holds `roles`, the tools and the actions, as one JSON document."""
    above = [*(("Role", role) for role in sorted(roles)), ("Organisation", principal.org_id)]
    found = [*_ACTIONS, _entity("User", principal.user_id, above), *(_entity(kind, name) for kind, name in above)]
    sources: set[str] = set()
    for tool in tools:
        sources.add(tool.source)
        attributes: Entity = {
            "name": tool.name,
            "source": tool.source,
            "owner": tool.owner,
            "side_effect": tool.side_effect.value,
            "cost_micro_usd": tool.cost_micro_usd,
        }
        found.append({**_entity("Tool", tool.name, [("Source", tool.source)]), "attrs": attributes})
    found += [_entity("Source", each) for each in sorted(sources)]
    return json.dumps(found)


def requests_of(question: PolicyQuestion, tools: Sequence[ToolDefinition]) -> list[dict[str, object]]:
    """Return what is asked of each tool."""
    context = json.dumps(
        {
            "agent": question.origin.agent,
            "channel": question.origin.channel,
            "dry_run": question.dry_run,
            "argument_names": sorted(question.arguments.names),
            "argument_bytes": question.arguments.size_bytes,
        }
    )
    return [
        {
            "principal": {"type": "User", "id": question.principal.user_id},
            "action": {"type": "Action", "id": tool.side_effect.value},
            "resource": {"type": "Tool", "id": tool.name},
            "context": context,
        }
        for tool in tools
    ]


def _entity(kind: str, name: str, parents: Iterable[tuple[str, str]] = ()) -> Entity:
    above = [{"type": kind, "id": name} for kind, name in parents]
    return {"uid": {"type": kind, "id": name}, "attrs": {}, "parents": above}
