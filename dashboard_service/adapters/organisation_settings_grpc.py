"""An organisation's settings, from the settings service."""

from __future__ import annotations

import grpc

from dashboard_service.domain.source import CalendarSettings
from protos.gen.nexus.settings.v1 import settings_pb2, settings_pb2_grpc
from shared.auth.context import acting_as, current_principal
from shared.auth.principal import settings_reader
from shared.client import translated_errors

_TIMEOUT_S = 2.0


class GrpcOrganisationSettings:
    """Asks the settings service each time, so that a change counts at once; in its own name."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = settings_pb2_grpc.SettingsServiceStub(channel)

    async def calendar(self) -> CalendarSettings:
        """Return what is set about calendars; the demonstration is shown unless it was switched off."""
        reader = settings_reader("dashboard", current_principal().org_id)
        with acting_as(reader):
            async with translated_errors("settings"):
                reply: settings_pb2.GetConfigResponse = await self._stub.GetConfig(
                    settings_pb2.GetConfigRequest(), timeout=_TIMEOUT_S
                )
        calendar = reply.config.calendar
        demo = calendar.demo if calendar.HasField("demo") else True
        return CalendarSettings(calendar.url, demo)
