"""Organisations, users and keys in SQLite."""

from __future__ import annotations

from sqlalchemy import and_, insert, select

from settings_service.adapters.tables import api_keys, organisations, users
from settings_service.ports.identity_store import KeyOwner, NewOwner
from shared.storage import Database


class SqliteIdentityStore:
    """Keeps identities in the tables `organisations`, `users` and `api_keys`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def has_organisation(self) -> bool:
        """Return whether there is any organisation yet."""
        async with self._database.connect() as connection:
            return (await connection.execute(select(organisations.c.org_id).limit(1))).first() is not None

    async def create_owner(self, owner: NewOwner) -> None:
        """Store the organisation, its owner and the key, in one transaction."""
        at = owner.at.isoformat()
        async with self._database.begin() as connection:
            await connection.execute(
                insert(organisations).values(org_id=owner.org_id, name=owner.org_name, created_at=at)
            )
            await connection.execute(
                insert(users).values(org_id=owner.org_id, user_id=owner.user_id, roles="owner", created_at=at)
            )
            await connection.execute(
                insert(api_keys).values(
                    org_id=owner.org_id,
                    key_id=owner.key_id,
                    user_id=owner.user_id,
                    key_hash=owner.key_hash,
                    created_at=at,
                )
            )

    async def find_key(self, key_hash: str) -> KeyOwner | None:
        """Return whom the key with this hash belongs to, or None for an unknown or revoked one."""
        query = (
            select(users.c.org_id, users.c.user_id, users.c.roles, api_keys.c.key_id)
            .join(api_keys, and_(api_keys.c.org_id == users.c.org_id, api_keys.c.user_id == users.c.user_id))
            .where(api_keys.c.key_hash == key_hash, api_keys.c.revoked_at.is_(None))
        )
        async with self._database.connect() as connection:
            row = (await connection.execute(query)).first()
        return KeyOwner(row[0], row[1], tuple(row[2].split(",")), row[3]) if row else None
