"""Embeds texts, some of which may be longer than the model has room for."""

from __future__ import annotations

from collections.abc import Sequence

from shared.errors import NexusError
from tool_executor.ports.embedder import Embedded, Embedder

_TOO_LONG = "CONTEXT_TOO_LONG"
_LEAST_CHARS = 16
"""Fewer than this fit into any model: a character is at most some dozen tokens."""


async def embed_fitting(embedder: Embedder, texts: Sequence[str], model: str = "") -> Embedded:
    """Return a vector for each text, in order; one that the model has no room for is taken by its start.

    How many tokens a text has only the model knows, so the long one is searched for by halves. The others stay whole.

    Raises:
        NexusError: with the router's reason.
    """
    try:
        return await embedder.embed(texts, model)
    except NexusError as error:
        if error.reason != _TOO_LONG or max(map(len, texts)) <= _LEAST_CHARS:
            raise
    if len(texts) == 1:
        return await embed_fitting(embedder, [texts[0][: len(texts[0]) // 2]], model)
    half = len(texts) // 2
    first = await embed_fitting(embedder, texts[:half], model)
    second = await embed_fitting(embedder, texts[half:], first.model)
    return Embedded(second.model, [*first.vectors, *second.vectors])
