"""Tells a listening client when what it may list has changed."""

from __future__ import annotations

import asyncio
import hashlib
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from weakref import WeakValueDictionary

from gateway.mcp_server.servicer.convert import AGENT
from gateway.mcp_server.use_cases.list_artifacts import ListArtifacts
from gateway.mcp_server.use_cases.list_tools import ListTools
from shared.auth.context import acting_as
from shared.auth.principal import Principal
from shared.errors import NexusError, Unauthenticated

_MOST_PAGES = 20
Caller = Callable[[], Awaitable[Principal]]
"""Tells whose key opened the stream, with the permissions that it has now. Raises Unauthenticated for a revoked one."""


@dataclass(frozen=True, slots=True)
class Listener:
    """Who is told of changes."""

    tools_changed: Callable[[], Awaitable[None]]
    resources_changed: Callable[[], Awaitable[None]]


@dataclass(slots=True, eq=False, weakref_slot=True)
class _Sight:
    """What a caller's lists were like when somebody last looked."""

    looking: asyncio.Lock = field(default_factory=asyncio.Lock)
    at_s: float = -math.inf
    seen: tuple[bytes | None, bytes | None] = (None, None)


class Changes:
    """Looks at a caller's lists every so often, for as long as that caller listens.

    All who listen with the same rights share what is seen: however many they are, there are two looks in that time.

    No service tells when a list changes for one caller: policies, scopes and MCP servers all decide on it.

    Args:
        tools: Lists tools.
        artifacts: Lists artifacts; the newest page is looked at.
        every_s: Seconds between two looks.
    """

    def __init__(self, tools: ListTools, artifacts: ListArtifacts, every_s: float) -> None:
        self._tools = tools
        self._artifacts = artifacts
        self._every_s = every_s
        # By who looks, without the key. Gone with the last who listens.
        self._sights: WeakValueDictionary[Principal, _Sight] = WeakValueDictionary()

    async def watch(self, caller: Caller, listener: Listener) -> None:
        """Tell `listener` of changes until cancelled.

        Raises:
            Unauthenticated: The key does not work any more.
        """
        tells = (listener.tools_changed, listener.resources_changed)
        before: list[bytes | None] = [None, None]
        while True:
            sight = await self._sight_of(caller)
            for index, now in enumerate(sight.seen if sight else ()):
                if now is None:
                    continue
                if before[index] not in (None, now):
                    await tells[index]()
                before[index] = now
            # The sight is held meanwhile, for the others.
            await asyncio.sleep(self._every_s)

    async def _sight_of(self, caller: Caller) -> _Sight | None:
        """Return what `caller` sees; None where it is not known who that is. Looks, unless another has just looked."""
        try:
            principal = await caller()
        except Unauthenticated:
            raise
        except NexusError:
            return None
        sight = self._sights.setdefault(replace(principal, key_id=""), _Sight())
        time_s = asyncio.get_running_loop().time
        async with sight.looking:
            if time_s() - sight.at_s >= self._every_s / 2:
                # As who that is now, not as who it was when the stream began: the others see the same then.
                with acting_as(principal):
                    tools = await _or_none(self._seen_tools, principal)
                    sight.seen = (tools, await _or_none(self._seen_artifacts, principal))
                sight.at_s = time_s()
        return sight

    async def _seen_tools(self, caller: Principal) -> bytes:
        seen, token = hashlib.sha256(AGENT.name.encode() if caller.may("runs.create") else b""), ""
        for _ in range(_MOST_PAGES):
            page = await self._tools(caller, token)
            for offer in page.offers:
                seen.update(repr(offer).encode())
            token = page.next_token
            if not token:
                break
        return seen.digest()

    async def _seen_artifacts(self, caller: Principal) -> bytes:
        page = await self._artifacts(caller, "")
        return hashlib.sha256(repr([each.artifact_id for each in page.artifacts]).encode()).digest()


async def _or_none(look: Callable[[Principal], Awaitable[bytes]], caller: Principal) -> bytes | None:
    """Return what `look` sees; None where nothing can be seen at the moment."""
    try:
        return await look(caller)
    except Unauthenticated:
        raise
    except NexusError:
        return None
