"""How strongly an organisation wants its programs isolated."""

from __future__ import annotations

from typing import Protocol

from sandbox_service.domain.isolation_level import IsolationLevel


class IsolationPolicy(Protocol):
    """Knows the least isolation, per organisation."""

    async def least(self, org_id: str) -> IsolationLevel:
        """Return the least isolation for programs of an organisation; a change shows within a second.

        Raises:
            UpstreamDown: when it is not known and cannot be found out; nothing may run then.
        """
        ...

    async def stop(self) -> None:
        """Let go of what is watched. Idempotent."""
        ...
