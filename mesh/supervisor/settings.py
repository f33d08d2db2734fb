"""Settings of the supervisor. The only file of this package that reads the environment."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from mesh.supervisor.domain.mesh_plan import HTTP_LISTEN
from mesh.supervisor.domain.port_plan import DEFAULT_GRPC_BASE, LARGEST_PORT_BASE, MOST_WORKERS
from shared.errors import FieldViolation, InvalidInput

_CHECKOUT = Path(__file__).resolve().parents[2]


class _Inherited(EnvSettingsSource):
    """The environment as a whole, from which that of each service is chosen."""

    def __call__(self) -> dict[str, Any]:
        """Return it as the one field `inherited`."""
        return {"inherited": {name: value for name, value in self.env_vars.items() if value is not None}}


class SupervisorSettings(BaseSettings):
    """Settings of the supervisor, read from `NEXUS_*`; what a command line says is given as arguments.

    Attributes:
        data: Data directory; made absolute.
        port_base: First of the TCP ports; 0 takes any free ones.
        workers: Routers that share the port of the HTTP surfaces.
        config_dir: Folder with `providers.yaml`; `config` of the working directory, else of the checkout.
        start_timeout_s: Seconds until a mesh that is not ready is given up.
        stop_grace_s: Seconds that a process gets to stop before it is killed.
        inherited: The environment of this process. Holds secrets: never shown, stored or logged.
    """

    model_config = SettingsConfigDict(env_prefix="NEXUS_", frozen=True, extra="ignore")

    data: Path = Path(".nexus")
    port_base: int = Field(default=DEFAULT_GRPC_BASE, ge=0, le=LARGEST_PORT_BASE)
    workers: int = Field(default=1, ge=1, le=MOST_WORKERS)
    config_dir: Path | None = None
    start_timeout_s: float = Field(default=60.0, gt=0, le=3600)
    stop_grace_s: float = Field(default=10.0, gt=0, le=600)
    inherited: Mapping[str, str] = Field(default_factory=dict, repr=False)

    @field_validator("data")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @field_validator("port_base")
    @classmethod
    def _unprivileged(cls, value: int) -> int:
        if 0 < value < 1024:
            raise ValueError("is 0 or at least 1024")
        return value

    @property
    def placed(self) -> frozenset[str]:
        """The services of which the user says where their HTTP addresses are."""
        return frozenset(name for name, variable in HTTP_LISTEN.items() if variable in self.inherited)

    @property
    def providers_file(self) -> Path:
        """The router's configuration."""
        if self.config_dir is not None:
            return self.config_dir.expanduser().absolute() / "providers.yaml"
        here = Path("config/providers.yaml").absolute()
        return here if here.is_file() else _CHECKOUT / "config" / "providers.yaml"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Add the whole environment as a source."""
        del dotenv_settings, file_secret_settings
        return init_settings, env_settings, _Inherited(settings_cls, case_sensitive=True)


def load_settings(
    data: Path | None = None, port_base: int | None = None, workers: int | None = None
) -> SupervisorSettings:
    """Return the settings, what is given over what the environment says.

    Raises:
        InvalidInput: reason SETTINGS_INVALID, naming the settings that are wrong.
    """
    given = {"data": data, "port_base": port_base, "workers": workers}
    try:
        return SupervisorSettings(**{name: value for name, value in given.items() if value is not None})  # pyright: ignore[reportArgumentType]
    except ValidationError as error:
        wrong = [(_variable(fault["loc"]), fault["msg"].removeprefix("Value error, ")) for fault in error.errors()]
        raise InvalidInput(
            "SETTINGS_INVALID",
            "; ".join(f"{name}: {what}" for name, what in wrong) + ".",
            violations=[FieldViolation(name, what) for name, what in wrong],
        ) from error


def _variable(location: tuple[int | str, ...]) -> str:
    """Return the environment variable of a setting, which is also what its option is called after."""
    return "NEXUS_" + "_".join(map(str, location)).upper()
