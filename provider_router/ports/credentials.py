"""Where providers' keys come from."""

from __future__ import annotations

from typing import Protocol

from provider_router.domain.contracts.provider import Target


class Credentials(Protocol):
    """Knows keys. What it returns goes into one request's header and nowhere else: no log, error or message."""

    def key_of(self, target: Target) -> str | None:
        """The key of `target`; empty when it needs none, None when it needs one that is not there."""
        ...
