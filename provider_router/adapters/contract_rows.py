"""Rows of registered contracts. Every function works in the transaction of the connection that it is given."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Row, delete, select, update
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from provider_router.adapters.tables import contract_requests, contracts, registry_versions
from provider_router.domain.contracts.contract import Contract
from provider_router.domain.contracts.contract_document import decode_contract, encode_contract
from provider_router.domain.decisions.canonical_json import NotCanonical
from shared.telemetry.logging import get_logger

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_REMEMBERED = timedelta(days=1)
_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Versions:
    """The newest version of the registry, and the count of changes of registered contracts."""

    registry: int
    contracts: int


@dataclass(frozen=True, slots=True)
class Answered:
    """What a request was answered: the contract, or None for a removal; `fingerprint` tells what it asked."""

    fingerprint: str
    contract: Contract | None


async def read_versions(connection: AsyncConnection) -> Versions:
    """The versions now."""
    row = (await connection.execute(select(registry_versions.c.version, registry_versions.c.contracts_version))).one()
    return Versions(row.version, row.contracts_version)


async def count_up(connection: AsyncConnection, *, contracts_changed: bool) -> Versions:
    """Counts the registry's version up, and that of the contracts where those changed; returns the new ones."""
    columns = registry_versions.c
    statement = (
        update(registry_versions)
        .values(version=columns.version + 1, contracts_version=columns.contracts_version + int(contracts_changed))
        .returning(columns.version, columns.contracts_version)
    )
    row = (await connection.execute(statement)).one()
    return Versions(row.version, row.contracts_version)


async def read_contracts(connection: AsyncConnection, org_id: str | None = None) -> dict[str, dict[str, Contract]]:
    """Registered contracts by organisation and name: of one organisation where that is given.

    One that this version cannot read is left out, and stays stored.
    """
    query = select(contracts.c.org_id, contracts.c.name, contracts.c.document)
    if org_id is not None:
        query = query.where(contracts.c.org_id == org_id)
    # Many contracts take a while to read, and callers must not wait for it.
    return await asyncio.to_thread(_decoded, (await connection.execute(query)).all())


def _decoded(rows: Sequence[Row[Any, Any, Any]]) -> dict[str, dict[str, Contract]]:
    found: dict[str, dict[str, Contract]] = {}
    for row in rows:
        try:
            found.setdefault(row.org_id, {})[row.name] = decode_contract(row.document)
        except NotCanonical as error:
            _log.error("stored_contract_unreadable", org_id=row.org_id, name=row.name, error=str(error))
    return found


async def put_contract(connection: AsyncConnection, contract: Contract, now: datetime) -> None:
    """Stores a contract over an earlier one of its organisation and name."""
    row = insert(contracts).values(
        org_id=contract.org_id, name=contract.name, document=encode_contract(contract), changed_us=_us(now)
    )
    changed = {"document": row.excluded.document, "changed_us": row.excluded.changed_us}
    keys = [contracts.c.org_id, contracts.c.name]
    await connection.execute(row.on_conflict_do_update(index_elements=keys, set_=changed))


async def remove_contract(connection: AsyncConnection, org_id: str, name: str) -> None:
    """Removes a contract."""
    await connection.execute(delete(contracts).where(contracts.c.org_id == org_id, contracts.c.name == name))


async def answer_to(connection: AsyncConnection, org_id: str, request_id: str) -> Answered | None:
    """What the request was answered within the last day; None for a new one."""
    columns = contract_requests.c
    query = select(columns.fingerprint, columns.document).where(
        columns.org_id == org_id, columns.request_id == request_id
    )
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        return None
    return Answered(row.fingerprint, None if row.document is None else decode_contract(row.document))


async def note_answer(connection: AsyncConnection, request: tuple[str, str], answered: Answered, now: datetime) -> None:
    """Remembers the answer to `request`, its organisation and id, and forgets those of more than a day ago."""
    org_id, request_id = request
    await connection.execute(delete(contract_requests).where(contract_requests.c.time_us < _us(now - _REMEMBERED)))
    await connection.execute(
        insert(contract_requests).values(
            org_id=org_id,
            request_id=request_id,
            fingerprint=answered.fingerprint,
            document=None if answered.contract is None else encode_contract(answered.contract),
            time_us=_us(now),
        )
    )


def _us(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)
