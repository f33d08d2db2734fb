"""The settings that every service has. A service's `settings.py` extends this; no other file reads the environment."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field
from pydantic.functional_validators import BeforeValidator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


def _split(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


AddressList = Annotated[list[str], NoDecode, BeforeValidator(_split)]
"""gRPC addresses, separated by commas in the environment."""


class ServiceSettings(BaseSettings):
    """Settings of one service, read once from the environment when the process starts."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    data_dir: Path = Field(default=Path(".nexus"), description="Folder of the mesh's state.")
    listen: AddressList = Field(
        default_factory=list, description="Addresses to serve on: `127.0.0.1:50056`, `unix:/path`."
    )
    metrics_port: int = Field(default=0, ge=0, le=65535, description="Loopback port of /metrics; 0 for none.")
    mesh_key_file: Path = Field(
        default=Path(".nexus/secrets/mesh.key"), description="File with the key that signs mesh tokens."
    )
    settings_address: str = Field(default="127.0.0.1:50058", description="Address of the settings service.")
    log_level: str = Field(
        default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$", description="Least level that is logged."
    )
    otlp_endpoint: str = Field(default="", description="OTLP/gRPC collector for traces, as a URL; empty for none.")
    trace_ratio: float = Field(
        default=1.0, ge=0, le=1, description="Share of the traces that begin in this service and are recorded."
    )
    drain_s: float = Field(
        default=5.0, ge=0, le=60, description="Seconds that calls in flight get when the service stops."
    )
