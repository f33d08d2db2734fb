"""Settings of the command line. The only file of this package that reads the environment."""

from __future__ import annotations

from pathlib import Path

from pydantic import SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from mesh.supervisor.domain.data_layout import DataLayout
from shared.errors import InvalidInput


class CliSettings(BaseSettings):
    """Settings of the command line, read from `NEXUS_*`; what the command line says is given as arguments.

    Attributes:
        data: Data directory of the mesh; made absolute.
        api_key: API key to use in place of the owner's key in the data directory.
        address: Where a mesh elsewhere is reached, one address for all services: `https://host:port`, or `host:port` on
            loopback. Empty: the mesh of the data directory.
    """

    model_config = SettingsConfigDict(env_prefix="NEXUS_", frozen=True, extra="ignore")

    data: Path = Path(".nexus")
    api_key: SecretStr | None = None
    address: str = ""

    @field_validator("data")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @property
    def layout(self) -> DataLayout:
        """Where things are in the data directory."""
        return DataLayout(self.data)


def load_cli_settings(data: Path | None) -> CliSettings:
    """Return the settings; `data` goes over what the environment says.

    Raises:
        InvalidInput: reason SETTINGS_INVALID.
    """
    try:
        return CliSettings() if data is None else CliSettings(data=data)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise InvalidInput("SETTINGS_INVALID", f"{wrong}.") from error
