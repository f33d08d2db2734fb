"""Say whose an API key is."""

from __future__ import annotations

from settings_service.domain.api_key import hash_key
from settings_service.domain.errors import unknown_key
from settings_service.domain.roles import RoleCatalog
from settings_service.ports.identity_store import IdentityStore
from shared.auth.principal import Principal


class AuthenticateKey:
    """Finds the principal of a key."""

    def __init__(self, store: IdentityStore, roles: RoleCatalog) -> None:
        self._store = store
        self._roles = roles

    async def principal_of(self, api_key: str) -> Principal:
        """Return the principal that `api_key` belongs to.

        Raises:
            Unauthenticated: KEY_UNKNOWN.
        """
        owner = await self._store.find_key(hash_key(api_key))
        if owner is None:
            raise unknown_key()
        permissions = self._roles.permissions(owner.roles)
        return Principal(owner.org_id, owner.user_id, frozenset(owner.roles), permissions, owner.key_id)
