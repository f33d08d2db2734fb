"""The settings of the orchestrator."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """Read once from `NEXUS_ORCHESTRATOR_...` when the process starts."""

    model_config = SettingsConfigDict(env_prefix="NEXUS_ORCHESTRATOR_", frozen=True, extra="ignore")

    router_address: str = Field("127.0.0.1:50055", description="Address of the provider router.")
    tools_address: str = Field("127.0.0.1:50056", description="Address of the tool executor.")
    concurrent_runs: int = Field(32, ge=1, le=1000, description="Most runs at work at once.")
    waiting_runs: int = Field(1000, ge=1, le=100_000, description="Most runs that wait for their turn.")
    max_output_tokens: int = Field(
        4096,
        ge=1,
        le=131_072,
        description="Most tokens of one answer of a model, reasoning included; as many are reserved in budgets.",
    )
    recovery_sweep_s: float = Field(
        5.0, gt=0, le=3600, description="Seconds between two searches for runs that were left behind."
    )
