"""Who is told what the cache did."""

from __future__ import annotations

from typing import Protocol

from provider_router.domain.cache.cached_answer import CacheSize, Hit
from provider_router.domain.calls.chat_call import CacheMode


class CacheObserver(Protocol):
    """Makes metrics and traces of it. Never raises, never blocks."""

    def found(self, hit: Hit) -> None:
        """An answer came from the cache."""
        ...

    def missed(self, mode: CacheMode) -> None:
        """None was there."""
        ...

    def bypassed(self) -> None:
        """A call asked for the cache and may not use it: its data is too sensitive."""
        ...

    def failed(self) -> None:
        """The cache could not be read or written; the call went on without it."""
        ...

    def holds(self, size: CacheSize) -> None:
        """How much is kept now."""
        ...
