"""A service served for real, with the guard of production, on a unix socket, for contract tests."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncGenerator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc

from shared.auth.authenticator import Authenticator
from shared.auth.mesh_token import MeshTokens
from shared.auth.principal import Principal
from shared.client.channel import open_channel
from shared.clock import SystemClock
from shared.server.bootstrap import serve_until
from shared.server.service import Service
from shared.settings import ServiceSettings
from shared.testing.fakes import FakeKeyDirectory

_MESH_KEY = b"0123456789abcdef0123456789abcdef-only-for-tests"


def principal(
    org_id: str = "org-a",
    user_id: str = "user-1",
    roles: Iterable[str] = ("owner",),
    permissions: Iterable[str] = ("*",),
    key_id: str = "",
) -> Principal:
    """Return a principal; by default an owner who may do everything in organisation `org-a`."""
    return Principal(org_id, user_id, frozenset(roles), frozenset(permissions), key_id)


@dataclass
class Served:
    """A service that is being served.

    Attributes:
        address: where it is.
        channel: carries the default principal, or the one of `acting_as` where there is one.
        keys: API keys that work; add your own.
    """

    address: str
    channel: grpc.aio.Channel
    keys: FakeKeyDirectory
    tokens: MeshTokens
    _stack: AsyncExitStack = field(repr=False)

    def channel_as(self, who: Principal | None) -> grpc.aio.Channel:
        """Open a channel whose calls come from `who`, or from nobody for None."""
        opened = open_channel(self.address, lambda _current: self.tokens.mint(who, "test") if who else None)
        self._stack.push_async_callback(opened.close)
        return opened

    def channel_with(self, credential: str) -> grpc.aio.Channel:
        """Open a channel whose calls carry `credential` as it stands."""
        opened = open_channel(self.address, lambda _current: credential)
        self._stack.push_async_callback(opened.close)
        return opened


def mesh_tokens() -> MeshTokens:
    """Return the tokens that every service under `serving` believes."""
    return MeshTokens(_MESH_KEY, SystemClock())


@asynccontextmanager
async def serving(service: Service, default: Principal | None = None) -> AsyncGenerator[Served, None]:
    """Serve `service`, its start, background and stop included, until the block ends.

    Args:
        service: as a composition root wires it, or wired by hand over fake ports.
        default: the principal of `channel`; by default `principal()`.
    """
    tokens = mesh_tokens()
    who = default or principal()
    keys = FakeKeyDirectory()
    stopping = asyncio.Event()
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="nx"))
        address = f"unix:{folder}/s"
        settings = ServiceSettings(listen=[address], drain_s=0.5, data_dir=Path(folder))
        await service.start()
        stack.push_async_callback(service.stop)
        group = await stack.enter_async_context(asyncio.TaskGroup())
        tasks = [group.create_task(work()) for work in service.background]
        tasks.append(
            group.create_task(serve_until(service, Authenticator(tokens, service.keys or keys), settings, stopping))
        )
        channel = open_channel(address, lambda current: tokens.mint(current or who, "test"))
        try:
            await asyncio.wait_for(channel.channel_ready(), 10)
            async with AsyncExitStack() as channels:
                yield Served(address, channel, keys, tokens, channels)
        finally:
            await channel.close()
            stopping.set()
            await tasks[-1]
            for task in tasks[:-1]:
                task.cancel()
