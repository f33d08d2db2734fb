"""Where organisations, users and keys are kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class KeyOwner:
    """Whom a key belongs to, and the key's id."""

    org_id: str
    user_id: str
    roles: tuple[str, ...]
    key_id: str


@dataclass(frozen=True, slots=True)
class NewOwner:
    """The first organisation, its owner, and the hash of the owner's key."""

    org_id: str
    org_name: str
    user_id: str
    key_id: str
    key_hash: str
    at: datetime


class IdentityStore(Protocol):
    """Keeps who there is."""

    async def has_organisation(self) -> bool:
        """Return whether there is any organisation yet."""
        ...

    async def create_owner(self, owner: NewOwner) -> None:
        """Store the organisation, its owner and the key, in one transaction."""
        ...

    async def find_key(self, key_hash: str) -> KeyOwner | None:
        """Return whom the key with this hash belongs to, or None for an unknown or revoked one."""
        ...
