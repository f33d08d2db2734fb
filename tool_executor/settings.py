"""The settings of the tool executor."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """Read once from `NEXUS_TOOLS_...` when the process starts."""

    model_config = SettingsConfigDict(env_prefix="NEXUS_TOOLS_", frozen=True, extra="ignore")

    sandbox_address: str = Field("127.0.0.1:50057", description="Address of the sandbox service.")
    dashboard_address: str = Field("127.0.0.1:50059", description="Address of the dashboard service.")
    output_limit_bytes: int = Field(65_536, ge=1_024, le=4_194_304, description="Most bytes of a tool's output.")
    call_memory_ttl_s: float = Field(600, gt=0, le=86_400, description="Seconds that a call's result is remembered.")
    call_memory_entries: int = Field(1_000, ge=1, le=100_000, description="Most results that are remembered.")
    call_memory_chars: int = Field(16_000_000, ge=100_000, description="Most characters of remembered results.")
    policy_organisations: int = Field(1_000, ge=1, description="Most organisations whose settings are watched.")
    code_wall_time_s: float = Field(10, gt=0, le=300, description="Longest time of a program in seconds.")
    code_output_bytes: int = Field(262_144, ge=1_024, le=4_194_304, description="Most bytes that a program prints.")
    calculator_workers: int = Field(2, ge=1, le=16, description="Most processes that calculate; one is kept warm.")
    calculator_warm_up_delay_s: float = Field(
        2.0, ge=0, le=600, description="Seconds after the start at which the first of them is made ready."
    )
    calculator_cpu_s: int = Field(5, ge=1, le=60, description="Most CPU seconds of one calculation.")
    calculator_memory_bytes: int = Field(
        805_306_368, ge=268_435_456, description="Most address space of a process that calculates."
    )
