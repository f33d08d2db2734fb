"""The settings of the MCP server. The only file of this package that reads the environment."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_settings import SettingsConfigDict

from gateway.mcp_server.servicer.edge_settings import EdgeSettings
from shared.http_server.limits import Limits
from shared.settings import AddressList, ServiceSettings


def _host_and_port(value: str) -> str:
    host, _, port = value.rpartition(":")
    if not (host and port.isdecimal() and int(port) <= 65535):
        raise ValueError("must be host:port")
    return value


_KB, _MB = 1024, 1024 * 1024


class Settings(ServiceSettings):
    """Read once from the environment: `NEXUS_MCP_...`."""

    model_config = SettingsConfigDict(env_prefix="NEXUS_MCP_", frozen=True, extra="ignore")

    orchestrator_address: str = Field("127.0.0.1:50054", description="Address of the orchestrator.")
    tools_address: str = Field("127.0.0.1:50056", description="Address of the tool executor.")
    http_listen: Annotated[str, AfterValidator(_host_and_port)] = Field(
        "127.0.0.1:8056", description="Address of the MCP endpoint. `nexus up` starts no MCP server where it is empty."
    )
    allowed_hosts: AddressList = Field(
        default_factory=list,
        description="Names, without ports, that callers may call this server by beside those of the loopback.",
    )
    allowed_origins: AddressList = Field(
        default_factory=list, description="Origins of web pages that may call, beside those of the loopback."
    )
    body_kb: int = Field(2048, ge=64, le=65_536, description="Kilobytes of one request.")
    calls_per_caller: int = Field(128, ge=1, le=100_000, description="Requests and streams that a user may have open.")
    sessions_per_key: int = Field(32, ge=1, le=10_000, description="Sessions of one API key; the idlest makes room.")
    session_idle_s: float = Field(1800, gt=0, le=86_400, description="Seconds after which an unused session ends.")
    lists_every_s: float = Field(
        5, gt=0, le=3600, description="Seconds between two looks whether the lists of a listening client changed."
    )
    tool_timeout_s: float = Field(
        660, gt=0, le=86_400, description="Longest time of a tool's call; tools have their own."
    )

    @property
    def edge(self) -> EdgeSettings:
        """How the endpoint is served."""
        host, _, port = self.http_listen.rpartition(":")
        return EdgeSettings(
            host=host.strip("[]"),
            port=int(port),
            allowed_hosts=frozenset(self.allowed_hosts),
            allowed_origins=frozenset(self.allowed_origins),
            body_bytes=self.body_kb * _KB,
            calls_per_caller=self.calls_per_caller,
            sessions_per_key=self.sessions_per_key,
            session_idle_s=self.session_idle_s,
            lists_every_s=self.lists_every_s,
            limits=Limits(connections=2000, bodies_bytes=32 * _MB, unread_bytes=64 * _MB),
        )
