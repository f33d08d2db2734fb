"""Configurations in SQLite: each version a row, so that history is never lost."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from settings_service.adapters.tables import configs
from settings_service.domain.config import Config, from_document, to_document
from settings_service.domain.errors import request_id_reused
from settings_service.ports.config_store import Change
from shared.storage import Database


class SqliteConfigStore:
    """Keeps configurations in the table `configs`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(self, org_id: str) -> Config:
        """Return the newest configuration of `org_id`, or the defaults."""
        async with self._database.connect() as connection:
            return await _newest(connection, org_id)

    async def write(self, change: Change, apply: Callable[[Config], Config]) -> Config:
        """Store what `apply` makes of the newest configuration; see the port."""
        async with self._database.begin() as connection:
            if change.request_id:
                query = select(configs).where(
                    configs.c.org_id == change.org_id, configs.c.request_id == change.request_id
                )
                row = (await connection.execute(query)).mappings().first()
                if row is not None:
                    if row["fingerprint"] != change.fingerprint:
                        raise request_id_reused()
                    return _config(row)
            current = await _newest(connection, change.org_id)
            wanted = apply(current)
            if wanted == current:
                return current
            version = current.version + 1
            document = to_document(wanted)
            await connection.execute(
                insert(configs).values(
                    org_id=change.org_id,
                    version=version,
                    document=json.dumps(document),
                    user_id=change.user_id,
                    request_id=change.request_id or None,
                    fingerprint=change.fingerprint,
                    created_at=change.at.isoformat(),
                )
            )
            return from_document(document, version, change.at)


async def _newest(connection: AsyncConnection, org_id: str) -> Config:
    query = select(configs).where(configs.c.org_id == org_id).order_by(configs.c.version.desc()).limit(1)
    row = (await connection.execute(query)).mappings().first()
    return _config(row) if row is not None else Config()


def _config(row: Any) -> Config:
    return from_document(json.loads(row["document"]), row["version"], datetime.fromisoformat(row["created_at"]))
