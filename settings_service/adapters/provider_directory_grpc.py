"""The providers, asked of the provider router."""

from __future__ import annotations

from collections.abc import Sequence

import grpc

from protos.gen.nexus.router.v1 import router_pb2, router_pb2_grpc
from settings_service.ports.provider_directory import ProviderSummary
from shared.client import translated_errors

_DEADLINE_S = 5


class GrpcProviderDirectory:
    """Asks RouterService.ListProviders."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = router_pb2_grpc.RouterServiceStub(channel)

    async def list(self) -> Sequence[ProviderSummary]:
        """Return the providers, in the order of the configuration."""
        async with translated_errors("router"):
            reply = await self._stub.ListProviders(router_pb2.ListProvidersRequest(), timeout=_DEADLINE_S)
        missing = router_pb2.PROVIDER_STATE_NOT_CONFIGURED
        return [ProviderSummary(p.name, p.type, p.state != missing, tuple(p.models)) for p in reply.providers]
