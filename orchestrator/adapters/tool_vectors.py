"""The vectors that questions are compared with, made once for each tool."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources

from orchestrator.domain.errors import FailureReason
from orchestrator.domain.routing import DEFAULT_ROUTING, Routing
from orchestrator.domain.tools import Tool
from orchestrator.ports.embedder import Embedder, Vector
from shared.errors import NexusError

NO_TOOL_FILE = "tool_choice/no_tool_examples.v1.txt"
MOST_GROUPS = 512
"""Tools whose vectors are kept: 20 KB each."""
_TEXTS_AT_ONCE = 128
MOST_CHARS = 1_000
"""Longer texts are compared by their start. Of texts with more tokens than the model takes, still less is seen."""
_LEAST_CHARS = 16
"""Fewer than this fit into any model."""


@dataclass(frozen=True, slots=True)
class ReferenceVectors:
    """Vectors of the descriptions and examples of each tool, and of texts that need no tool."""

    tools: Mapping[str, Sequence[Vector]]
    none: Sequence[Vector]


class ToolVectors:
    """Makes and remembers the vectors of each tool; organisations with the same tools share them."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._none_texts = no_tool_examples()
        self._kept: OrderedDict[tuple[str, ...], Sequence[Vector]] = OrderedDict()

    async def of(self, tools: Sequence[Tool]) -> ReferenceVectors:
        """Return the vectors for these tools; those that were never made are made now.

        Part by part, so that a question that runs out of time leaves the next one less to do.

        Raises:
            NexusError: with the router's reason.
        """
        wanted = {tool.name: texts_of(tool) for tool in tools}
        groups = dict.fromkeys((*wanted.values(), self._none_texts))
        vectors = {texts: self._kept[texts] for texts in groups if texts in self._kept}
        for part in _parts([texts for texts in groups if texts not in vectors]):
            made = await self._made(part)
            self._keep(made)
            vectors |= made
        self._keep(vectors)
        return ReferenceVectors({name: vectors[texts] for name, texts in wanted.items()}, vectors[self._none_texts])

    async def _made(self, groups: Sequence[tuple[str, ...]]) -> dict[tuple[str, ...], Sequence[Vector]]:
        vectors = iter(await vectors_of(self._embedder, [text for texts in groups for text in texts]))
        return {texts: [next(vectors) for _ in texts] for texts in groups}

    def _keep(self, vectors: Mapping[tuple[str, ...], Sequence[Vector]]) -> None:
        for texts, group in vectors.items():
            self._kept[texts] = group
            self._kept.move_to_end(texts)
        while len(self._kept) > max(MOST_GROUPS, len(vectors)):
            self._kept.popitem(last=False)


def _parts(groups: Sequence[tuple[str, ...]]) -> Iterator[list[tuple[str, ...]]]:
    part: list[tuple[str, ...]] = []
    for texts in groups:
        part.append(texts)
        if sum(map(len, part)) >= _TEXTS_AT_ONCE:
            yield part
            part = []
    if part:
        yield part


def texts_of(tool: Tool) -> tuple[str, ...]:
    """Return the texts that stand for a tool."""
    return tuple(text[:MOST_CHARS] for text in (tool.description.strip() or tool.name, *tool.examples))


async def vectors_of(embedder: Embedder, texts: Sequence[str], routing: Routing = DEFAULT_ROUTING) -> list[Vector]:
    """Return one vector a text, in order. Each that is too long for the model is shortened until it fits, no other is.

    Raises:
        NexusError: with the router's reason.
    """
    try:
        return await embedder.embed(texts, routing)
    except NexusError as error:
        if error.reason != FailureReason.CONTEXT_TOO_LONG or all(len(text) <= _LEAST_CHARS for text in texts):
            raise
    # Only the router counts tokens, and it does not say whose were too many.
    middle = len(texts) // 2
    if not middle:
        return await vectors_of(embedder, [text[: len(text) // 2] for text in texts], routing)
    return [
        *await vectors_of(embedder, texts[:middle], routing),
        *await vectors_of(embedder, texts[middle:], routing),
    ]


def no_tool_examples() -> tuple[str, ...]:
    """Return the texts that need no tool, from the file that ships with the service."""
    file = resources.files("orchestrator.adapters") / NO_TOOL_FILE
    lines = (line.strip() for line in file.read_text(encoding="utf-8").splitlines())
    return tuple(line for line in lines if line and not line.startswith("#"))
