"""Where images are kept. The only file of this package that reads the environment."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

_LOCKS = Path(__file__).resolve().parents[2] / "config" / "sandbox" / "images"


class ImagesSettings(BaseSettings):
    """Settings of the images' set-up, read from `NEXUS_SANDBOX_*` as the service does.

    Attributes:
        images_dir: Folder of the images.
        images_locks: Folder of the lists of packages with their hashes.
        images_install_timeout_s: Most seconds for the packages of one image, 1 to 86400.
    """

    model_config = SettingsConfigDict(env_prefix="NEXUS_SANDBOX_", frozen=True, extra="ignore")

    images_dir: Path = Path("~/.cache/nexus/images")
    images_locks: Path = _LOCKS
    images_install_timeout_s: float = Field(default=1800.0, ge=1, le=86400)

    @field_validator("images_dir")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()
