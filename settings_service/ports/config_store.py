"""Where configurations are kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from settings_service.domain.config import Config


@dataclass(frozen=True, slots=True)
class Change:
    """A change to store: whose, by whom, when, under which request id, and a fingerprint of what was asked."""

    org_id: str
    user_id: str
    at: datetime
    request_id: str
    fingerprint: str


class ConfigStore(Protocol):
    """Keeps every version of each organisation's configuration."""

    async def read(self, org_id: str) -> Config:
        """Return the newest configuration of `org_id`, or the defaults."""
        ...

    async def write(self, change: Change, apply: Callable[[Config], Config]) -> Config:
        """Store what `apply` makes of the newest configuration, as its next version, and return it.

        Read and write are one transaction. Idempotent by (org_id, request_id): a repeated change returns what the
        first one stored. An `apply` that returns its argument unchanged stores nothing.

        Raises:
            AlreadyExists: when the request id was used with another fingerprint.
        """
        ...
