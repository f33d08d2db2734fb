"""The table of artifacts. Its rows are the truth: bytes that no row has are leftovers."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Row, case, delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.auth.principal import Principal
from shared.storage import Database
from tool_executor.adapters.artifact_objects import Content
from tool_executor.adapters.tables import artifact_deletions, artifacts
from tool_executor.domain.artifact import LEAST_CHARGE_BYTES, Artifact, charge_of
from tool_executor.domain.artifact_errors import artifact_unknown, quota_exceeded, request_reused

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_c = artifacts.c
_d = artifact_deletions.c


class ArtifactRows:
    """Reads and writes the rows. The database is opened and closed by who made it.

    Args:
        database: the service's own.
        quota_bytes: most that an organisation's artifacts may count for together.
    """

    def __init__(self, database: Database, *, quota_bytes: int) -> None:
        self._database = database
        self._quota_bytes = quota_bytes

    async def add(self, owner: Principal, artifact: Artifact, request_id: str) -> Artifact:
        """Add a row, or return the one that `request_id` made before of the same.

        Raises:
            AlreadyExists: REQUEST_ID_REUSED.
            QuotaExceeded: ARTIFACT_QUOTA_EXCEEDED.
        """
        async with self._database.begin() as connection:
            if request_id:
                query = select(artifacts).where(_c.org_id == owner.org_id, _c.request_id == request_id)
                earlier = (await connection.execute(query)).one_or_none()
                if earlier is not None:
                    return _same(_artifact(earlier), artifact)
            await self._check_quota(connection, owner.org_id, artifact.size_bytes)
            await connection.execute(insert(artifacts).values(_values(owner.org_id, artifact, request_id)))
        return artifact

    async def check_quota(self, owner: Principal, size_bytes: int) -> None:
        """Refuse a file for which there is no room. Raises QuotaExceeded: ARTIFACT_QUOTA_EXCEEDED."""
        async with self._database.connect() as connection:
            await self._check_quota(connection, owner.org_id, size_bytes)

    async def get(self, org_id: str, artifact_id: str) -> Artifact:
        """Return an artifact. Raises NotFound: ARTIFACT_UNKNOWN."""
        query = select(artifacts).where(_c.org_id == org_id, _c.artifact_id == artifact_id)
        async with self._database.connect() as connection:
            row = (await connection.execute(query)).one_or_none()
        if row is None:
            raise artifact_unknown(artifact_id)
        return _artifact(row)

    async def before(self, org_id: str, artifact_id: str, run_id: str, count: int) -> tuple[Artifact, ...]:
        """Return at most `count` artifacts, the newest first: all, or those older than one; of a run, or all."""
        query = select(artifacts).where(_c.org_id == org_id).order_by(_c.artifact_id.desc()).limit(count)
        if artifact_id:
            query = query.where(_c.artifact_id < artifact_id)
        if run_id:
            query = query.where(_c.run_id == run_id)
        async with self._database.connect() as connection:
            return tuple(_artifact(row) for row in (await connection.execute(query)).all())

    async def remove(self, org_id: str, artifact_id: str, request_id: str, now: datetime) -> None:
        """Remove a row; nothing when `request_id` removed it before.

        Raises:
            NotFound: ARTIFACT_UNKNOWN.
            AlreadyExists: REQUEST_ID_REUSED.
        """
        noted = select(_d.artifact_id).where(_d.org_id == org_id, _d.request_id == request_id)
        async with self._database.begin() as connection:
            earlier = (await connection.execute(noted)).scalar_one_or_none() if request_id else None
            if earlier is not None:
                if earlier != artifact_id:
                    raise request_reused()
                return
            gone = delete(artifacts).where(_c.org_id == org_id, _c.artifact_id == artifact_id)
            if (await connection.execute(gone)).rowcount == 0:
                raise artifact_unknown(artifact_id)
            if request_id:
                note = {"org_id": org_id, "request_id": request_id, "artifact_id": artifact_id}
                await connection.execute(insert(artifact_deletions).values(deleted_at_us=_to_us(now), **note))

    async def forget_deletions(self, before: datetime) -> None:
        """Forget which deletions were asked for before a moment."""
        async with self._database.begin() as connection:
            await connection.execute(delete(artifact_deletions).where(_d.deleted_at_us < _to_us(before)))

    async def referred(self, contents: Collection[Content]) -> set[Content]:
        """Return those of `contents` that some row has."""
        query = select(_c.org_id, _c.sha256).where(_c.sha256.in_({content.sha256 for content in contents})).distinct()
        async with self._database.connect() as connection:
            return {Content(org_id, sha256) for org_id, sha256 in await connection.execute(query)} & set(contents)

    async def _check_quota(self, connection: AsyncConnection, org_id: str, size_bytes: int) -> None:
        charge = case((_c.size_bytes < LEAST_CHARGE_BYTES, LEAST_CHARGE_BYTES), else_=_c.size_bytes)
        query = select(func.coalesce(func.sum(charge), 0)).where(_c.org_id == org_id)
        used: int = (await connection.execute(query)).scalar_one()
        if used + charge_of(size_bytes) > self._quota_bytes:
            raise quota_exceeded(self._quota_bytes, used)


def _same(earlier: Artifact, asked: Artifact) -> Artifact:
    """Return `earlier` when it is what is asked for. Raises AlreadyExists: REQUEST_ID_REUSED."""
    for field in ("name", "media_type", "sha256", "tool", "run_id", "user_id"):
        if getattr(earlier, field) != getattr(asked, field):
            raise request_reused()
    return earlier


def _values(org_id: str, artifact: Artifact, request_id: str) -> dict[str, Any]:
    return {
        "org_id": org_id,
        "artifact_id": artifact.artifact_id,
        "request_id": request_id or None,
        "user_id": artifact.user_id,
        "name": artifact.name,
        "media_type": artifact.media_type,
        "size_bytes": artifact.size_bytes,
        "sha256": artifact.sha256,
        "tool": artifact.tool,
        "run_id": artifact.run_id,
        "created_at_us": _to_us(artifact.created_at),
    }


def _artifact(row: Row[Any]) -> Artifact:
    return Artifact(
        artifact_id=row.artifact_id,
        name=row.name,
        media_type=row.media_type,
        size_bytes=row.size_bytes,
        sha256=row.sha256,
        tool=row.tool,
        run_id=row.run_id,
        user_id=row.user_id,
        created_at=_EPOCH + timedelta(microseconds=row.created_at_us),
    )


def _to_us(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)
