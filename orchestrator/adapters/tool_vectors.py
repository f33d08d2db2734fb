"""The vectors that questions are compared with, made once for each set of tools."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources

from orchestrator.domain.tools import Tool
from orchestrator.ports.embedder import Embedder, Vector

NO_TOOL_FILE = "tool_choice/no_tool_examples.v1.txt"
MOST_SETS = 16


@dataclass(frozen=True, slots=True)
class ReferenceVectors:
    """Vectors of the descriptions and examples of each tool, and of texts that need no tool."""

    tools: Mapping[str, Sequence[Vector]]
    none: Sequence[Vector]


class ToolVectors:
    """Makes and remembers reference vectors; organisations with the same tools share them."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._none_texts = no_tool_examples()
        self._kept: OrderedDict[str, ReferenceVectors] = OrderedDict()

    async def of(self, tools: Sequence[Tool]) -> ReferenceVectors:
        """Return the vectors for these tools.

        Raises:
            NexusError: with the router's reason.
        """
        key = _key(tools)
        kept = self._kept.get(key)
        if kept is None:
            kept = await self._made(tools)
            self._kept[key] = kept
            if len(self._kept) > MOST_SETS:
                self._kept.popitem(last=False)
        else:
            self._kept.move_to_end(key)
        return kept

    async def _made(self, tools: Sequence[Tool]) -> ReferenceVectors:
        texts = [text for tool in tools for text in texts_of(tool)]
        vectors = await self._embedder.embed([*texts, *self._none_texts])
        by_tool: dict[str, Sequence[Vector]] = {}
        start = 0
        for tool in tools:
            end = start + len(texts_of(tool))
            by_tool[tool.name] = vectors[start:end]
            start = end
        return ReferenceVectors(by_tool, vectors[start:])


def texts_of(tool: Tool) -> tuple[str, ...]:
    """Return the texts that stand for a tool."""
    return (tool.description.strip() or tool.name, *tool.examples)


def no_tool_examples() -> tuple[str, ...]:
    """Return the texts that need no tool, from the file that ships with the service."""
    file = resources.files("orchestrator.adapters") / NO_TOOL_FILE
    lines = (line.strip() for line in file.read_text(encoding="utf-8").splitlines())
    return tuple(line for line in lines if line and not line.startswith("#"))


def _key(tools: Sequence[Tool]) -> str:
    digest = hashlib.sha256()
    for tool in tools:
        for text in (tool.name, *texts_of(tool)):
            digest.update(text.encode())
            digest.update(b"\0")
    return digest.hexdigest()
