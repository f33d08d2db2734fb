"""Settings of the settings service. No other file of it reads the environment."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """Read from `NEXUS_SETTINGS_*`."""

    model_config = SettingsConfigDict(env_prefix="NEXUS_SETTINGS_", frozen=True, extra="ignore")

    router_address: str = Field(default="127.0.0.1:50055", description="Address of the provider router.")
    tools_address: str = Field(default="127.0.0.1:50056", description="Address of the tool executor.")
    roles_file: Path = Field(
        default=Path(__file__).resolve().parent.parent / "config/policies/roles.yaml",
        description="Which permissions each role gives.",
    )
    owner_key_file: Path | None = Field(
        default=None, description="Where the first owner's key is written once; default <data>/secrets/owner.key."
    )
