"""Where providers' keys come from."""

from __future__ import annotations

from typing import Protocol

from provider_router.domain.catalog import ProviderSpec


class Credentials(Protocol):
    """Knows keys. What it returns goes into one request's header and nowhere else: no log, error or message."""

    def key_of(self, provider: ProviderSpec) -> str | None:
        """The provider's key; empty when it needs none, None when it needs one that is not there."""
        ...
