"""A settings service that answers as a test says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

from protos.gen.nexus.settings.v1 import settings_pb2, settings_pb2_grpc
from shared.auth.context import current_principal
from shared.errors import UpstreamDown
from shared.server import Registration, Service
from shared.testing.harness import Served, serving


class ScriptedSettings(settings_pb2_grpc.SettingsServiceServicer):
    """Knows what each organisation has set; can be down, and can break its watches."""

    def __init__(self) -> None:
        self.disabled: dict[str, set[str]] = {}
        self.scopes: dict[str, list[settings_pb2.ToolScope]] = {}
        self.isolation: dict[str, settings_pb2.IsolationLevel.ValueType] = {}
        self.changed = asyncio.Condition()
        self.down = False
        self.watches_break = False
        self.asked = 0
        self.watches = 0
        self.watched_by: list[str] = []

    async def disable(self, org_id: str, names: set[str]) -> None:
        async with self.changed:
            self.disabled[org_id] = names
            self.changed.notify_all()

    async def break_watches(self) -> None:
        async with self.changed:
            self.watches_break = True
            self.changed.notify_all()

    def _config(self) -> settings_pb2.Config:
        if self.down:
            raise UpstreamDown("STORAGE_DOWN", "Not now.")
        org_id = current_principal().org_id
        names, scopes = sorted(self.disabled.get(org_id, ())), self.scopes.get(org_id, [])
        sandbox = settings_pb2.SandboxConfig(least_isolation=self.isolation.get(org_id))
        return settings_pb2.Config(tools=settings_pb2.ToolsConfig(disabled=names, scopes=scopes), sandbox=sandbox)

    async def GetConfig(self, request: object, context: object) -> settings_pb2.GetConfigResponse:
        self.asked += 1
        return settings_pb2.GetConfigResponse(config=self._config())

    async def WatchConfig(self, request: object, context: object) -> AsyncIterator[settings_pb2.WatchConfigResponse]:
        self.watched_by.append(current_principal().user_id)
        self.watches += 1
        try:
            while not self.watches_break:
                yield settings_pb2.WatchConfigResponse(config=self._config())
                async with self.changed:
                    await self.changed.wait()
            raise UpstreamDown("STORAGE_DOWN", "Not now.")
        finally:
            self.watches -= 1


@asynccontextmanager
async def served_settings(settings: ScriptedSettings) -> AsyncGenerator[Served, None]:
    registration = Registration(
        settings_pb2_grpc.add_SettingsServiceServicer_to_server,
        settings,
        settings_pb2.DESCRIPTOR.services_by_name["SettingsService"],
    )
    async with serving(Service("settings", [registration])) as served:
        yield served
