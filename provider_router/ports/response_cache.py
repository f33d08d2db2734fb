"""Answers that were given before."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from provider_router.domain.cache.cached_answer import CachedAnswer, CacheKey, CacheLookup, CacheSize, Hit


class ResponseCache(Protocol):
    """Keeps whole answers of one organisation apart from every other's. Bounded: old answers give way."""

    async def find(self, lookup: CacheLookup) -> Hit | None:
        """The answer to the very same request; else the one whose vector is most like that of `lookup`.

        Only answers that `CacheKey.may_mean` allows are compared, the newest first where there are very many. None
        without one that is young and similar enough. An answer that cannot be read any more is not there.

        Raises:
            UpstreamDown: The store cannot be read.
        """
        ...

    async def put(self, key: CacheKey, vector: tuple[float, ...], answer: CachedAnswer) -> CacheSize:
        """Keeps a complete answer under `key`, in place of the one before; returns how much is kept now. Idempotent.

        One that is too large is not kept. `vector` is empty where the answer may only be found exactly.

        Raises:
            UpstreamDown: The store cannot be written.
        """
        ...

    async def invalidate(self, org_id: str, *, model_prefix: str = "", created_before: datetime | None = None) -> int:
        """Removes answers of `org_id` whose model starts with `model_prefix`; returns how many.

        Args:
            org_id: Whose.
            model_prefix: Compared letter by letter; empty for every model.
            created_before: Only answers from before this time, UTC; None for all.

        Raises:
            UpstreamDown: The store cannot be written.
        """
        ...

    async def size(self) -> CacheSize:
        """How much is kept.

        Raises:
            UpstreamDown: The store cannot be read.
        """
        ...
