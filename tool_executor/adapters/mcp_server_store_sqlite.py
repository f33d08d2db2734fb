"""MCP servers in SQLite; their secrets are one sealed value."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.storage import Database
from tool_executor.adapters.secret_box_aesgcm import AesGcmSecretBox, SecretUnreadableError
from tool_executor.adapters.tables import mcp_servers
from tool_executor.domain.mcp_errors import request_id_reused, server_exists, server_unknown, too_many_servers
from tool_executor.domain.mcp_server import HttpTransport, RegisteredServer, Secret, ServerSpec, StdioTransport
from tool_executor.domain.tool_definition import SideEffect

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class SqliteMcpServerStore:
    """Keeps servers in the table `mcp_servers`."""

    def __init__(self, database: Database, box: AesGcmSecretBox) -> None:
        self._database = database
        self._box = box

    async def earlier(self, server: RegisteredServer, *, most: int) -> RegisteredServer | None:
        """Return what `add` would return; see the port."""
        async with self._database.connect() as connection:
            return await self._earlier(connection, server, most)

    async def add(self, server: RegisteredServer, *, most: int) -> RegisteredServer:
        """Keep `server`; see the port."""
        async with self._database.begin() as connection:
            there = await self._earlier(connection, server, most)
            if there is not None:
                return there
            await connection.execute(
                insert(mcp_servers).values(
                    org_id=server.org_id,
                    name=server.spec.name,
                    request_id=server.request_id,
                    user_id=server.user_id,
                    spec_json=json.dumps(_document(server.spec)),
                    secrets=self._sealed(server),
                    pins_json=json.dumps(dict(server.pins)),
                    created_at_us=(server.created_at - _EPOCH) // _MICROSECOND,
                )
            )
        return server

    async def pin(self, org_id: str, name: str, digests: Mapping[str, str]) -> None:
        """Keep digests of tools; see the port."""
        async with self._database.begin() as connection:
            await connection.execute(
                update(mcp_servers)
                .where(mcp_servers.c.org_id == org_id, mcp_servers.c.name == name)
                .values(pins_json=json.dumps(dict(digests)))
            )

    async def remove(self, org_id: str, name: str) -> None:
        """Forget a server; see the port."""
        async with self._database.begin() as connection:
            gone = await connection.execute(
                delete(mcp_servers).where(mcp_servers.c.org_id == org_id, mcp_servers.c.name == name)
            )
            if not gone.rowcount:
                raise server_unknown(name)

    async def all(self) -> Sequence[RegisteredServer]:
        """Return the servers of all organisations; see the port."""
        async with self._database.connect() as connection:
            rows = await connection.execute(select(mcp_servers).order_by(mcp_servers.c.org_id, mcp_servers.c.name))
            return [self._server(row) for row in rows.mappings()]

    async def _earlier(
        self, connection: AsyncConnection, server: RegisteredServer, most: int
    ) -> RegisteredServer | None:
        mine = mcp_servers.c.org_id == server.org_id
        if server.request_id:
            query = select(mcp_servers).where(mine, mcp_servers.c.request_id == server.request_id)
            row = (await connection.execute(query)).mappings().first()
            if row is not None:
                there = self._server(row)
                if (there.spec, there.user_id) != (server.spec, server.user_id):
                    raise request_id_reused()
                return there
        query = select(mcp_servers.c.name).where(mine, mcp_servers.c.name == server.spec.name)
        if (await connection.execute(query)).first() is not None:
            raise server_exists(server.spec.name)
        count = select(func.count()).select_from(mcp_servers).where(mine)
        if (await connection.execute(count)).scalar_one() >= most:
            raise too_many_servers(most)
        return None

    def _sealed(self, server: RegisteredServer) -> bytes:
        values = [secret.value for secret in server.spec.secrets]
        if not values:
            return b""
        return self._box.seal(json.dumps(values).encode(), _place(server.org_id, server.spec.name))

    def _server(self, row: Any) -> RegisteredServer:
        document = cast("dict[str, Any]", json.loads(row["spec_json"]))
        names = cast("list[str]", document.pop("secrets"))
        readable, values = True, [""] * len(names)
        if names:
            try:
                values = json.loads(self._box.unseal(row["secrets"], _place(row["org_id"], row["name"])))
            except SecretUnreadableError:
                readable = False
        held = tuple(Secret(name, value) for name, value in zip(names, values, strict=True))
        return RegisteredServer(
            org_id=row["org_id"],
            user_id=row["user_id"],
            request_id=row["request_id"],
            spec=_spec(row["name"], document, held),
            created_at=_EPOCH + row["created_at_us"] * _MICROSECOND,
            pins=json.loads(row["pins_json"]),
            is_readable=readable,
        )


def _place(org_id: str, name: str) -> str:
    return json.dumps(["mcp_servers", org_id, name])


def _document(spec: ServerSpec) -> dict[str, object]:
    effect = spec.default_side_effect
    bare = (
        replace(spec.transport, headers=())
        if isinstance(spec.transport, HttpTransport)
        else replace(spec.transport, environment=())
    )
    return {
        "kind": "http" if isinstance(bare, HttpTransport) else "stdio",
        "transport": asdict(bare),
        "side_effect": effect.value if effect else "",
        "secrets": [secret.name for secret in spec.secrets],
    }


def _spec(name: str, document: Mapping[str, Any], held: tuple[Secret, ...]) -> ServerSpec:
    told = document["transport"]
    if document["kind"] == "http":
        transport: HttpTransport | StdioTransport = HttpTransport(told["url"], held)
    else:
        transport = StdioTransport(
            tuple(told["argv"]),
            held,
            tuple(told["read_only_paths"]),
            tuple(told["writable_paths"]),
            tuple(told["egress"]),
        )
    effect = document["side_effect"]
    return ServerSpec(name, transport, SideEffect(effect) if effect else None)
