"""The processes of the mesh, as a table."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServiceDefinition:
    """One gRPC service.

    Attributes:
        name: what people and other services call it; the socket is `<name>.sock`.
        package: the package that `python -m` runs.
    """

    name: str
    package: str

    @property
    def prefix(self) -> str:
        """Prefix of its environment variables, for example `NEXUS_TOOLS_`."""
        return f"NEXUS_{self.name.upper()}_"


SERVICES: tuple[ServiceDefinition, ...] = (
    ServiceDefinition("orchestrator", "orchestrator"),
    ServiceDefinition("router", "provider_router"),
    ServiceDefinition("tools", "tool_executor"),
    ServiceDefinition("sandbox", "sandbox_service"),
    ServiceDefinition("settings", "settings_service"),
    ServiceDefinition("dashboard", "dashboard_service"),
    ServiceDefinition("mcp", "gateway.mcp_server"),
)
"""In the order of their ports: 50054, 50055, ...; what only stands at the edge serves health by gRPC, and no more."""

ORCHESTRATOR = "orchestrator"
ROUTER = "router"
MCP = "mcp"
LOCAL_MODEL = "local-model"
LOCAL_MODEL_PACKAGE = "mesh.local_model"
LOCAL_MODEL_PREFIX = "NEXUS_LOCAL_MODEL_"
