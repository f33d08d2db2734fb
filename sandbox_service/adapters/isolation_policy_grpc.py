"""The least isolation of organisations, as the settings service says it."""

from __future__ import annotations

import grpc

from protos.gen.nexus.settings.v1 import settings_pb2
from sandbox_service.domain.isolation_level import IsolationLevel
from shared.client.organisation_settings import OrganisationSettings
from shared.clock import Clock

_LEVELS = {
    settings_pb2.ISOLATION_LEVEL_UNSPECIFIED: IsolationLevel.NAMESPACES,
    settings_pb2.ISOLATION_LEVEL_NAMESPACES: IsolationLevel.NAMESPACES,
    settings_pb2.ISOLATION_LEVEL_USER_KERNEL: IsolationLevel.USER_KERNEL,
    settings_pb2.ISOLATION_LEVEL_VIRTUAL_MACHINE: IsolationLevel.VIRTUAL_MACHINE,
}


class GrpcIsolationPolicy:
    """Implements `IsolationPolicy`; remembers and watches as `OrganisationSettings` says.

    Args:
        channel: to the settings service.
        clock: spaces the questions.
        max_organisations: most organisations that are watched at once.
    """

    def __init__(self, channel: grpc.aio.Channel, clock: Clock, *, max_organisations: int) -> None:
        self._settings = OrganisationSettings("sandbox", channel, clock, _least, max_organisations=max_organisations)

    async def least(self, org_id: str) -> IsolationLevel:
        """Return the least isolation of an organisation; see the port."""
        return await self._settings.of(org_id)

    async def stop(self) -> None:
        """Close all watches, and wait for them."""
        await self._settings.stop()


def _least(config: settings_pb2.Config) -> IsolationLevel:
    # A level that a newer settings service knows is one that this sandbox does not have: the strongest refuses.
    return _LEVELS.get(config.sandbox.least_isolation, IsolationLevel.VIRTUAL_MACHINE)
