"""Remembers the last call of each provider in this process."""

from __future__ import annotations

from provider_router.domain.provider_health import Observation


class MemoryProviderObservations:
    """Implements `ProviderObservations`. Grows with the number of provider names that were ever configured."""

    def __init__(self) -> None:
        self._last: dict[str, Observation] = {}

    def record(self, provider: str, observation: Observation) -> None:
        """Remembers `observation` as the last of `provider`."""
        self._last[provider] = observation

    def last(self, provider: str) -> Observation | None:
        """The last observation of `provider`; None before the first."""
        return self._last.get(provider)
