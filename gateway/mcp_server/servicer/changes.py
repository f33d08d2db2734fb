"""Tells a listening client when what it may list has changed."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from gateway.mcp_server.servicer.convert import AGENT
from gateway.mcp_server.use_cases.list_artifacts import ListArtifacts
from gateway.mcp_server.use_cases.list_tools import ListTools
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


class Changes:
    """Looks at a caller's lists every so often, for as long as that caller listens.

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

    async def watch(self, caller: Caller, listener: Listener) -> None:
        """Tell `listener` of changes until cancelled.

        Raises:
            Unauthenticated: The key does not work any more.
        """
        looks = ((self._seen_tools, listener.tools_changed), (self._seen_artifacts, listener.resources_changed))
        before = [await _or_none(look, caller) for look, _ in looks]
        while True:
            await asyncio.sleep(self._every_s)
            for index, (look, tell) in enumerate(looks):
                now = await _or_none(look, caller)
                if now is None:
                    continue
                if before[index] not in (None, now):
                    await tell()
                before[index] = now

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


async def _or_none(look: Callable[[Principal], Awaitable[bytes]], caller: Caller) -> bytes | None:
    """Return what `look` sees; None where nothing can be seen at the moment."""
    try:
        return await look(await caller())
    except Unauthenticated:
        raise
    except NexusError:
        return None
