"""The store of MCP servers, over SQLite."""

from __future__ import annotations

import stat
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from shared.errors import AlreadyExists, NotFound, PreconditionFailed, QuotaExceeded
from shared.storage import Database
from tool_executor.adapters.mcp_server_store_sqlite import SqliteMcpServerStore
from tool_executor.adapters.secret_box_aesgcm import AesGcmSecretBox, SecretUnreadableError
from tool_executor.domain.mcp_server import HttpTransport, RegisteredServer, Secret, ServerSpec, StdioTransport
from tool_executor.domain.tool_definition import SideEffect

HTTP = ServerSpec("web", HttpTransport("https://example.org", (Secret("X-Key", "s3cret"),)), SideEffect.READ)
STDIO = ServerSpec("files", StdioTransport(("a", "b"), (Secret("TOKEN", "t0ken"),), ("/r",), ("/w",), ("h:1",)))

STEAL = """
    UPDATE mcp_servers SET secrets = (SELECT secrets FROM mcp_servers WHERE org_id = 'org-b') WHERE org_id = 'org-a'
"""


def server(spec: ServerSpec = HTTP, org_id: str = "org-a", request_id: str = "") -> RegisteredServer:
    return RegisteredServer(org_id, "user-1", request_id, spec, datetime(2026, 11, 20, 12, 0, 0, 7, tzinfo=UTC))


@asynccontextmanager
async def opened(folder: Path) -> AsyncGenerator[tuple[SqliteMcpServerStore, Database], None]:
    database = Database(folder / "tools.sqlite", "tool_executor.adapters.migrations")
    await database.open()
    try:
        yield SqliteMcpServerStore(database, AesGcmSecretBox(folder / "secrets" / "mcp.key")), database
    finally:
        await database.close()


async def test_what_is_kept_comes_back_whole(tmp_path: Path) -> None:
    async with opened(tmp_path) as (store, _):
        assert await store.add(server(), most=9) == server()
        await store.add(server(STDIO, "org-b"), most=9)
        await store.pin("org-b", "files", {"read": "abc"})
        await store.pin("org-b", "gone", {"read": "abc"})
    async with opened(tmp_path) as (store, _):
        assert list(await store.all()) == [server(), replace(server(STDIO, "org-b"), pins={"read": "abc"})]
        await store.remove("org-a", "web")
        assert [each.org_id for each in await store.all()] == ["org-b"]
        for org_id, name in (("org-a", "web"), ("org-a", "files")):
            with pytest.raises(NotFound, match="MCP_SERVER_UNKNOWN"):
                await store.remove(org_id, name)


async def test_a_key_means_one_server(tmp_path: Path) -> None:
    async with opened(tmp_path) as (store, _):
        first = await store.add(server(request_id="k"), most=9)
        assert await store.add(replace(server(request_id="k"), created_at=datetime.now(UTC)), most=9) == first
        other_secret = replace(HTTP, transport=HttpTransport("https://example.org", (Secret("X-Key", "other"),)))
        for spec in (other_secret, STDIO):
            with pytest.raises(AlreadyExists, match="REQUEST_ID_REUSED"):
                await store.add(server(spec, request_id="k"), most=9)
        with pytest.raises(AlreadyExists, match="MCP_SERVER_EXISTS"):
            await store.add(server(request_id="l"), most=9)
        await store.add(server(org_id="org-b", request_id="k"), most=9)


async def test_an_organisation_has_so_many_and_no_more(tmp_path: Path) -> None:
    async with opened(tmp_path) as (store, _):
        await store.add(server(), most=1)
        with pytest.raises(QuotaExceeded, match="MCP_SERVERS_TOO_MANY"):
            await store.add(server(STDIO), most=1)
        await store.add(server(STDIO, "org-b"), most=1)


async def test_secrets_are_sealed_for_their_place(tmp_path: Path) -> None:
    async with opened(tmp_path) as (store, database):
        await store.add(server(), most=9)
        await store.add(server(org_id="org-b"), most=9)
        async with database.begin() as connection:
            await connection.execute(text(STEAL))
        first, second = await store.all()
        assert (first.is_readable, [s.value for s in first.spec.secrets]) == (False, [""])
        assert second.is_readable
    assert not any(b"s3cret" in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


def test_the_key_is_made_once_for_its_user_alone(tmp_path: Path) -> None:
    key = tmp_path / "secrets" / "mcp.key"
    sealed = AesGcmSecretBox(key).seal(b"hello", "here")
    assert (stat.S_IMODE(key.stat().st_mode), [path.name for path in key.parent.iterdir()]) == (0o600, ["mcp.key"])
    assert AesGcmSecretBox(key).unseal(sealed, "here") == b"hello"
    for wrong, place in ((sealed, "there"), (sealed[:-1] + b"x", "here"), (b"", "here")):
        with pytest.raises(SecretUnreadableError):
            AesGcmSecretBox(key).unseal(wrong, place)
    with pytest.raises(SecretUnreadableError):
        AesGcmSecretBox(tmp_path / "none").unseal(sealed, "here")
    key.write_bytes(b"short")
    with pytest.raises(PreconditionFailed, match="MCP_KEY_UNUSABLE"):
        AesGcmSecretBox(key).seal(b"hello", "here")
