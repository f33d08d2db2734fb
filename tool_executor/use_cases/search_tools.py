"""Finds the tools that fit a question."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from tool_executor.domain.tool_decision import PolicyQuestion
from tool_executor.domain.tool_standing import ListedTool
from tool_executor.ports.tool_index import ToolIndex
from tool_executor.ports.tool_registry import ToolRegistry
from tool_executor.use_cases.describe_tools import DescribeTools

_DECIDED_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class FoundTool:
    """A tool, and how near it is to the question: a cosine, -1 to 1."""

    tool: ListedTool
    score: float


class SearchTools:
    """Searches what the caller may use, and nothing else."""

    def __init__(self, registry: ToolRegistry, describe: DescribeTools, index: ToolIndex) -> None:
        self._registry = registry
        self._describe = describe
        self._index = index

    async def __call__(self, question: PolicyQuestion, query: str, limit: int) -> list[FoundTool]:
        """Return at most `limit` tools that are enabled and allowed, the best first.

        Raises:
            UpstreamDown: when it is not known which tools are enabled, or nobody can compare texts.
        """
        tools = {tool.definition.name: tool.definition for tool in self._registry.all(question.principal.org_id)}
        matches = await self._index.nearest(query, list(tools.values()), len(tools))
        found: list[FoundTool] = []
        # The best first, a few at a time: to decide on hundreds of tools takes longer than to compare them.
        for start in range(0, len(matches), _DECIDED_AT_ONCE):
            some = matches[start : start + _DECIDED_AT_ONCE]
            described = await self._describe(question, [tools[match.tool] for match in some])
            usable = [(tool, match) for tool, match in zip(described, some, strict=True) if tool.decision.allowed]
            found += [FoundTool(tool, match.score) for tool, match in usable]
            if len(found) >= limit:
                break
            await asyncio.sleep(0)
        return found[:limit]
