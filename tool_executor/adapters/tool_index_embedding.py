"""Compares questions with tools by vectors, which are made once for each definition."""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from tool_executor.domain.tool_definition import ToolDefinition
from tool_executor.ports.embedder import Embedder
from tool_executor.ports.tool_index import Match
from tool_executor.use_cases.embed_fitting import embed_fitting

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

_MOST_CHARS = 1_000
"""Longer texts are compared by their start. Of texts with more tokens than the model takes, still less is seen."""
_TEXTS_AT_ONCE = 48
_MOST_BYTES = 64 * 1024 * 1024
_Key = tuple[str, bytes]


class EmbeddingToolIndex:
    """Implements `ToolIndex`. Organisations whose tools say the same share their vectors.

    Args:
        embedder: makes the vectors.
        most_bytes: of kept vectors; those unused for longest go first.
    """

    def __init__(self, embedder: Embedder, *, most_bytes: int = _MOST_BYTES) -> None:
        self._embedder = embedder
        self._most_bytes = most_bytes
        self._kept: OrderedDict[_Key, Vectors] = OrderedDict()
        self._bytes = 0
        self._making: WeakValueDictionary[tuple[_Key, ...], asyncio.Lock] = WeakValueDictionary()

    async def nearest(self, query: str, tools: Sequence[ToolDefinition], limit: int) -> Sequence[Match]:
        """Return at most `limit` of `tools`, the best first; equal ones by name.

        Raises:
            NexusError: with the router's reason, when there are no vectors.
        """
        import numpy as np

        if not tools:
            return []
        asked = await embed_fitting(self._embedder, [query[:_MOST_CHARS]])
        vectors = await self._of(asked.model, tools)
        # Not by `@`: the threads of its library wait for each other, on a busy machine for tens of milliseconds.
        scores = np.einsum("ij,j->i", np.concatenate(vectors), np.asarray(asked.vectors[0], dtype=np.float32))
        starts = np.cumsum([0, *(len(each) for each in vectors[:-1])])
        best = np.maximum.reduceat(scores, starts)
        matches = [Match(tool.name, float(score)) for tool, score in zip(tools, best, strict=True)]
        return sorted(matches, key=lambda match: (-match.score, match.tool))[:limit]

    async def _of(self, model: str, tools: Sequence[ToolDefinition]) -> list[Vectors]:
        keys = [(model, _digest(tool)) for tool in tools]
        found = {key: self._kept[key] for key in keys if key in self._kept}
        missing = {key: _texts(tool) for key, tool in zip(keys, tools, strict=True) if key not in found}
        if missing:
            # Searches at once that lack the same have it made once; nobody waits for what others lack.
            async with self._making.setdefault(tuple(missing), asyncio.Lock()):
                found |= await self._made(model, missing)
        for key in found:
            if key in self._kept:
                self._kept.move_to_end(key)
        while self._bytes > self._most_bytes:
            self._bytes -= self._kept.popitem(last=False)[1].nbytes
        return [found[key] for key in keys]

    async def _made(self, model: str, missing: Mapping[_Key, Sequence[str]]) -> Mapping[_Key, Vectors]:
        """Make what is missing, and keep each part: a search that runs out of time leaves the next one less to do."""
        found = {key: self._kept[key] for key in missing if key in self._kept}
        part: list[_Key] = []
        for key in (key for key in missing if key not in found):
            part.append(key)
            if sum(len(missing[each]) for each in part) >= _TEXTS_AT_ONCE:
                found |= await self._made_part(model, part, missing)
                part = []
        if part:
            found |= await self._made_part(model, part, missing)
        return found

    async def _made_part(
        self, model: str, part: Sequence[_Key], texts: Mapping[_Key, Sequence[str]]
    ) -> Mapping[_Key, Vectors]:
        import numpy as np

        made = await embed_fitting(self._embedder, [text for key in part for text in texts[key]], model)
        vectors = iter(made.vectors)
        found = {key: np.asarray([next(vectors) for _ in texts[key]], dtype=np.float32) for key in part}
        for key, each in found.items():
            if key not in self._kept:
                self._kept[key] = each
                self._bytes += each.nbytes
        return found


def _texts(tool: ToolDefinition) -> list[str]:
    said = f"{tool.name.replace('_', ' ')}: {tool.description}"
    return [text[:_MOST_CHARS] for text in (said, *tool.examples) if text]


def _digest(tool: ToolDefinition) -> bytes:
    # Zeros part the texts, so that no two lists of texts look the same.
    said = "\0".join(text.replace("\0", " ") for text in _texts(tool))
    return hashlib.blake2b(said.encode("utf-8", "replace"), digest_size=16).digest()
