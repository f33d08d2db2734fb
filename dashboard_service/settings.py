"""The settings of the dashboard service."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """Read once from the environment: `NEXUS_DASHBOARD_...`."""

    model_config = SettingsConfigDict(env_prefix="NEXUS_DASHBOARD_", frozen=True, extra="ignore")

    source_timeout_s: float = Field(
        8.0, gt=0, le=60, description="Seconds in which a context is put together; a source that is later is stale."
    )
    calendar_ttl_s: float = Field(300.0, ge=0, description="Seconds for which a fetched calendar counts as new.")
    allow_private_urls: bool = Field(
        default=False,
        description="Whether calendar addresses may lead to private networks. For intranets whose users are trusted.",
    )
    calendar_ca_file: Path | None = Field(
        None, description="PEM file with further certificate authorities for calendar addresses."
    )
    parser_processes: int = Field(2, ge=1, le=16, description="How many calendar files are read at a time.")
