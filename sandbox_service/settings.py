"""The sandbox's settings, read from NEXUS_SANDBOX_*."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator
from pydantic.functional_validators import BeforeValidator
from pydantic_settings import NoDecode, SettingsConfigDict

from sandbox_service.domain.limits import LEAST_MEMORY_BYTES, LimitPolicy, RunLimits
from shared.settings import ServiceSettings

_MIB = 1 << 20


def _split(value: object) -> object:
    return [part for part in value.split(":") if part] if isinstance(value, str) else value


PathList = Annotated[list[Path], NoDecode, BeforeValidator(_split)]
"""Paths, separated by colons in the environment."""


class Settings(ServiceSettings):
    """Settings of the sandbox service."""

    model_config = SettingsConfigDict(env_prefix="NEXUS_SANDBOX_", frozen=True, extra="ignore")

    max_concurrent_runs: int = Field(default=4, ge=1, le=256, description="Most programs that run at a time.")
    max_waiting_runs: int = Field(default=16, ge=0, le=4096, description="Most calls that wait for a place.")
    wall_time_s: float = Field(default=10.0, gt=0, le=300, description="Wall time of a run by default.")
    max_wall_time_s: float = Field(default=60.0, gt=0, le=300, description="Most that a caller may ask for.")
    memory_bytes: int = Field(default=256 * _MIB, ge=LEAST_MEMORY_BYTES, description="Memory of a run by default.")
    max_memory_bytes: int = Field(
        default=1024 * _MIB, ge=LEAST_MEMORY_BYTES, description="Most that a caller may ask for."
    )
    processes: int = Field(default=64, ge=1, le=4096, description="Processes and threads by default.")
    max_processes: int = Field(default=256, ge=1, le=4096, description="Most that a caller may ask for.")
    output_bytes: int = Field(default=256 << 10, ge=1, description="Output of a run by default.")
    max_output_bytes: int = Field(default=8 * _MIB, ge=1, description="Most that a caller may ask for.")
    workspace_bytes: int = Field(
        default=64 * _MIB, ge=_MIB, description="Size of each writable folder: /work, /tmp, /dev/shm."
    )
    workspace_files: int = Field(default=4096, ge=16, description="Most files in each writable folder.")
    cpu_cores: float = Field(
        default=1.0, ge=0.05, le=64, description="CPU seconds a second, where control groups work."
    )
    read_only_paths: PathList = Field(
        default_factory=list[Path],
        description="Further paths that programs may read, where shared libraries lie elsewhere.",
    )

    @model_validator(mode="after")
    def _defaults_within_ceilings(self) -> Settings:
        for name in ("wall_time_s", "memory_bytes", "processes", "output_bytes"):
            if getattr(self, name) > getattr(self, f"max_{name}"):
                raise ValueError(f"{name} is above max_{name}")
        return self

    def limit_policy(self) -> LimitPolicy:
        """Return the defaults and ceilings of runs."""
        return LimitPolicy(
            defaults=RunLimits(self.wall_time_s, self.memory_bytes, self.processes, self.output_bytes),
            ceilings=RunLimits(self.max_wall_time_s, self.max_memory_bytes, self.max_processes, self.max_output_bytes),
        )
