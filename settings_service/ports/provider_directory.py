"""Which providers there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class ProviderSummary:
    """A provider as an administrator sees it; `models` are `provider/model`."""

    name: str
    type: str
    configured: bool
    models: tuple[str, ...]


class ProviderDirectory(Protocol):
    """Knows the providers."""

    async def list(self) -> Sequence[ProviderSummary]:
        """Return the providers, in the order of the configuration.

        Raises:
            UpstreamDown: when the provider router does not answer.
        """
        ...
