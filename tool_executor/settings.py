"""The settings of the tool executor."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from shared.circuit_breaker import BreakerPolicy
from shared.settings import AddressList, ServiceSettings
from tool_executor.domain.web_options import WebOptions


class Settings(ServiceSettings):
    """Read once from `NEXUS_TOOLS_...` when the process starts."""

    model_config = SettingsConfigDict(env_prefix="NEXUS_TOOLS_", frozen=True, extra="ignore")

    sandbox_address: str = Field("127.0.0.1:50057", description="Address of the sandbox service.")
    dashboard_address: str = Field("127.0.0.1:50059", description="Address of the dashboard service.")
    router_address: str = Field("127.0.0.1:50055", description="Address of the provider router.")
    output_limit_bytes: int = Field(65_536, ge=1_024, le=4_194_304, description="Most bytes of a tool's output.")
    artifacts_url: str = Field(
        "",
        description="Where artifacts are kept: file:///folder, s3://bucket/prefix or gs://bucket/prefix; empty for "
        "the folder `artifacts` of the data directory.",
    )
    artifact_limit_bytes: int = Field(67_108_864, ge=1_024, le=1_073_741_824, description="Largest artifact.")
    artifact_quota_bytes: int = Field(
        1_073_741_824, ge=1_024, description="Most that the artifacts of an organisation count for together."
    )
    artifact_sweep_pause_s: float = Field(
        3_600, ge=60, description="Seconds between two searches for what crashes left of artifacts."
    )
    call_memory_ttl_s: float = Field(600, gt=0, le=86_400, description="Seconds that a call's result is remembered.")
    call_memory_entries: int = Field(1_000, ge=1, le=100_000, description="Most results that are remembered.")
    call_memory_chars: int = Field(16_000_000, ge=100_000, description="Most characters of remembered results.")
    effects_kept_s: float = Field(604_800, gt=0, description="Seconds that calls with effects are remembered.")
    effects_kept_rows: int = Field(100_000, ge=1_000, description="Most calls with effects that are remembered.")
    breaker_failures: int = Field(
        5, ge=1, le=1_000, description="Failures of a tool in a row after which an organisation's calls of it wait."
    )
    breaker_open_s: float = Field(
        5.0, gt=0, le=3_600, description="Seconds that they wait at first; twice as long after each trial that fails."
    )
    policies_file: Path = Field(
        default=Path(__file__).resolve().parent.parent / "config/policies/tools.cedar",
        description="The platform's tool policies; organisations' own are in a folder of the same name beside it.",
    )
    roles_file: Path = Field(
        default=Path(__file__).resolve().parent.parent / "config/policies/roles.yaml",
        description="The roles, as the settings service reads them: policies see those that a role includes.",
    )
    policies_reload_s: float = Field(1.0, gt=0, le=3600, description="Seconds between two looks at the policies.")
    audit_days: int = Field(90, ge=1, le=3650, description="Days that refusals and effects are kept.")
    audit_events: int = Field(
        50_000, ge=100, description="Most refusals, and most effects, that are kept of an organisation."
    )
    policy_organisations: int = Field(1_000, ge=1, description="Most organisations whose settings are watched.")
    code_wall_time_s: float = Field(10, gt=0, le=300, description="Longest time of a program in seconds.")
    code_output_bytes: int = Field(262_144, ge=1_024, le=4_194_304, description="Most bytes that a program prints.")
    web_contact: str = Field(
        "",
        pattern=r"^[!-'*-~]{0,200}$",
        description="Web or mail address that web servers are told as Nexus's contact.",
    )
    web_ca_file: Path | None = Field(None, description="Further certificate authorities for the web's tools, in PEM.")
    web_ports: list[int] = Field([80, 443], description="Ports that web pages are read from, as JSON.")
    web_page_bytes: int = Field(3_145_728, ge=1_024, le=33_554_432, description="Most bytes of a web page.")
    web_page_load_s: float = Field(20, gt=0, le=120, description="Longest time for fetching a page, in seconds.")
    web_page_workers: int = Field(2, ge=1, le=16, description="Most processes that read pages.")
    web_page_read_s: float = Field(10, gt=0, le=60, description="Longest time for reading a page, in seconds.")
    web_page_memory_bytes: int = Field(
        805_306_368, ge=268_435_456, description="Most address space of a process that reads pages."
    )
    web_search_searxng_url: str = Field(
        "", description="A SearXNG server with its JSON format enabled; empty for none."
    )
    web_search_url: str = Field("https://google.serper.dev/search", description="Where Serper is asked.")
    web_search_key: SecretStr = Field(
        SecretStr(""), description="The key for Serper, or for what speaks as it does; empty for none."
    )
    http_request_hosts: AddressList = Field(
        default_factory=list, description="Hosts of the internet for http_request: `host`, `host:port`, `*.host`."
    )
    http_request_private_hosts: AddressList = Field(
        default_factory=list, description="Such hosts that may be at private addresses, over http too."
    )
    http_request_credentials_file: Path | None = Field(
        None, description="YAML file with headers that http_request adds for some hosts; readable by its owner alone."
    )
    http_request_bytes: int = Field(1_048_576, ge=1_024, le=16_777_216, description="Most bytes of an answer.")
    calculator_workers: int = Field(2, ge=1, le=16, description="Most processes that calculate; one is kept warm.")
    calculator_warm_up_delay_s: float = Field(
        2.0, ge=0, le=600, description="Seconds after the start at which the first of them is made ready."
    )
    calculator_cpu_s: int = Field(5, ge=1, le=60, description="Most CPU seconds of one calculation.")
    calculator_memory_bytes: int = Field(
        805_306_368, ge=268_435_456, description="Most address space of a process that calculates."
    )

    mcp_private_hosts: AddressList = Field(
        default_factory=list,
        description="`host:port` at which MCP servers may be at private addresses, over http too.",
    )
    mcp_servers: int = Field(32, ge=0, le=1_000, description="Most MCP servers that an organisation registers.")
    mcp_call_s: float = Field(60, gt=0, le=300, description="Longest time of a call of an MCP server's tool.")

    knowledge_passages: int = Field(
        20_000, ge=128, le=1_000_000, description="Most passages of an organisation's knowledge."
    )

    @property
    def breaker(self) -> BreakerPolicy:
        """When a tool that keeps failing is left alone, and for how long."""
        cap_s = max(self.breaker_open_s, BreakerPolicy().open_cap_s)
        return BreakerPolicy(consecutive_failures=self.breaker_failures, open_s=self.breaker_open_s, open_cap_s=cap_s)

    @property
    def web(self) -> WebOptions:
        """How far the web's tools go."""
        key = self.web_search_key.get_secret_value().strip()
        return WebOptions(
            contact=self.web_contact,
            ca_file=self.web_ca_file,
            ports=self.web_ports,
            page_bytes=self.web_page_bytes,
            page_load_s=self.web_page_load_s,
            page_workers=self.web_page_workers,
            page_read_s=self.web_page_read_s,
            page_memory_bytes=self.web_page_memory_bytes,
            search_searxng_url=self.web_search_searxng_url,
            search_url=self.web_search_url,
            search_key=key,
            request_hosts=self.http_request_hosts,
            request_private_hosts=self.http_request_private_hosts,
            request_credentials_file=self.http_request_credentials_file,
            request_bytes=self.http_request_bytes,
        )
