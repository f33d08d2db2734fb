"""Removes cached answers."""

from __future__ import annotations

from datetime import timedelta

from provider_router.ports.cache_observer import CacheObserver
from provider_router.ports.response_cache import ResponseCache
from shared.clock import Clock


class InvalidateCache:
    """Removes answers of one organisation. Idempotent: what is gone is gone."""

    def __init__(self, cache: ResponseCache, observer: CacheObserver, clock: Clock) -> None:
        self._cache = cache
        self._observer = observer
        self._clock = clock

    async def __call__(self, org_id: str, *, model_prefix: str = "", older_than_s: float = 0) -> int:
        """Removes answers of models that start with `model_prefix`, and that are older than `older_than_s` seconds.

        Args:
            org_id: Whose.
            model_prefix: Empty for every model.
            older_than_s: 0 for every age.

        Returns:
            How many were removed.

        Raises:
            UpstreamDown: The cache cannot be written.
        """
        before = self._clock.now() - timedelta(seconds=older_than_s) if older_than_s else None
        removed = await self._cache.invalidate(org_id, model_prefix=model_prefix, created_before=before)
        self._observer.holds(await self._cache.size())
        return removed
