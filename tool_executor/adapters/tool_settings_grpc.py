"""What organisations have set for their tools, as the settings service says it."""

from __future__ import annotations

import grpc

from protos.gen.nexus.settings.v1 import settings_pb2
from shared.auth.principal import Principal
from shared.client.organisation_settings import OrganisationSettings
from shared.clock import Clock
from shared.errors import UpstreamDown
from tool_executor.domain.tool_decision import ToolRules
from tool_executor.domain.tool_scope import ToolScope


class GrpcToolSettings:
    """Implements `ToolSettings`; remembers and watches as `OrganisationSettings` says."""

    def __init__(self, channel: grpc.aio.Channel, clock: Clock, *, max_organisations: int) -> None:
        self._settings = OrganisationSettings("tools", channel, clock, _rules, max_organisations=max_organisations)

    async def rules(self, principal: Principal) -> ToolRules:
        """Return the rules of `principal`'s organisation; see the port.

        Raises:
            UpstreamDown: TOOL_POLICY_UNKNOWN.
        """
        try:
            return await self._settings.of(principal.org_id)
        except UpstreamDown as error:
            raise UpstreamDown(
                "TOOL_POLICY_UNKNOWN",
                "The settings service does not answer, so it is not known which tools may run. Try again in a moment.",
                retry_after_s=error.retry_after_s,
            ) from error

    async def stop(self) -> None:
        """Close all watches, and wait for them."""
        await self._settings.stop()


def _rules(config: settings_pb2.Config) -> ToolRules:
    scopes = tuple(ToolScope(each.agent, each.channel, tuple(each.allowed)) for each in config.tools.scopes)
    return ToolRules(frozenset(config.tools.disabled), scopes)
