"""What was last seen of each provider."""

from __future__ import annotations

from typing import Protocol

from provider_router.domain.provider_health import Observation


class ProviderObservations(Protocol):
    """Remembers the last call of each provider, within this process."""

    def record(self, provider: str, observation: Observation) -> None:
        """Remembers `observation` as the last of `provider`."""
        ...

    def last(self, provider: str) -> Observation | None:
        """The last observation of `provider`; None before the first."""
        ...
