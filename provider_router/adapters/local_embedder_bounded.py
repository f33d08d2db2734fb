"""A local embedder that never keeps a request waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from prometheus_client import Counter

from provider_router.domain.errors import Reason, failure
from provider_router.ports.local_embedder import LocalEmbedder
from shared.clock import Clock
from shared.errors import NexusError

_CALLS = Counter(
    "nexus_router_local_embeddings_total", "Embeddings for the router's own work, by what became of them.", ("outcome",)
)
_OK, _FAILED, _LATE, _REFUSED = (_CALLS.labels(outcome) for outcome in ("ok", "failed", "late", "refused"))


class BoundedLocalEmbedder:
    """Implements `LocalEmbedder` around another one: a few calls at once, each of a short time; more are refused.

    After a failure or a late answer every call is refused for a moment, so that a model that is down or slow costs
    requests nothing.

    Args:
        embedder: Does the work.
        clock: Tells when the moment is over.
        places: Calls at once.
        timeout_s: For one call.
        pause_s: After a failure.
    """

    def __init__(
        self,
        embedder: LocalEmbedder,
        clock: Clock,
        *,
        places: int = 4,
        timeout_s: float = 0.045,
        pause_s: float = 2.0,
    ) -> None:
        self._embedder = embedder
        self._clock = clock
        self._free = places
        self._timeout_s = timeout_s
        self._pause_s = pause_s
        self._paused_until = 0.0

    def model(self) -> str:
        """Which model would embed now."""
        return self._embedder.model()

    async def embed(self, texts: Sequence[str]) -> tuple[tuple[float, ...], ...]:
        """Returns one vector of unit length a text.

        Raises:
            NexusError: DEPLOYMENTS_BUSY at once, when all places are taken or it pauses; PROVIDER_TIMEOUT when it took
                too long; else what the embedder says.
        """
        if not self._free or self._clock.monotonic() < self._paused_until:
            _REFUSED.inc()
            raise failure(Reason.DEPLOYMENTS_BUSY, "The embedding model of this machine has no time now.")
        self._free -= 1
        try:
            async with asyncio.timeout(self._timeout_s):
                vectors = await self._embedder.embed(texts)
        except TimeoutError as error:
            self._pause(_LATE)
            raise failure(Reason.PROVIDER_TIMEOUT, "The embedding model of this machine took too long.") from error
        except NexusError:
            self._pause(_FAILED)
            raise
        finally:
            self._free += 1
        _OK.inc()
        return vectors

    def _pause(self, outcome: Counter) -> None:
        outcome.inc()
        self._paused_until = self._clock.monotonic() + self._pause_s
