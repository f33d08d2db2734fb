"""The sandbox's settings, read from NEXUS_SANDBOX_*."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator
from pydantic.functional_validators import AfterValidator, BeforeValidator
from pydantic_settings import NoDecode, SettingsConfigDict

from sandbox_service.domain.egress import AllowList, rule_of
from sandbox_service.domain.limits import LEAST_MEMORY_BYTES, LimitPolicy, RunLimits
from sandbox_service.domain.places import PlaceRules
from shared.settings import ServiceSettings

_MIB = 1 << 20


def _split(value: object) -> object:
    return [part for part in value.split(":") if part] if isinstance(value, str) else value


def _split_targets(value: object) -> object:
    return value.replace(",", " ").split() if isinstance(value, str) else value


def _checked(targets: list[str]) -> list[str]:
    for target in targets:
        rule_of(target)
    return targets


PathList = Annotated[list[Path], NoDecode, BeforeValidator(_split)]
"""Paths, separated by colons in the environment."""
TargetList = Annotated[list[str], NoDecode, BeforeValidator(_split_targets), AfterValidator(_checked)]
"""Targets of egress, separated by commas or spaces in the environment."""


class Settings(ServiceSettings):
    """Settings of the sandbox service."""

    model_config = SettingsConfigDict(env_prefix="NEXUS_SANDBOX_", frozen=True, extra="ignore")

    settings_address: str = Field("127.0.0.1:50058", description="Address of the settings service.")
    policy_organisations: int = Field(1_000, ge=1, description="Most organisations whose settings are watched.")
    max_concurrent_runs: int = Field(default=4, ge=1, le=256, description="Most programs that run at a time.")
    max_runs_per_organisation: int = Field(
        default=256, ge=1, le=256, description="Most of them of one organisation; the last free place is never its own."
    )
    max_waiting_runs: int = Field(default=64, ge=0, le=4096, description="Most calls that wait for a place.")
    max_waiting_runs_per_organisation: int = Field(
        default=16, ge=0, le=4096, description="Most of them of one organisation."
    )
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

    max_sessions: int = Field(default=32, ge=1, le=1024, description="Most sessions at a time.")
    max_sessions_per_organisation: int = Field(default=16, ge=1, le=1024, description="Most of one organisation.")
    session_idle_timeout_s: float = Field(
        default=1800.0, gt=0, le=86_400, description="Time without a call after which a session is closed, at most."
    )
    max_processes_kept: int = Field(default=32, ge=1, le=1024, description="Most long-lived processes at a time.")
    process_paths: PathList = Field(
        default_factory=list[Path],
        description="Folders at or below which long-lived processes may be given paths of the host; none by default.",
    )
    images_dir: Path = Field(
        default=Path("~/.cache/nexus/images"), description="Folder of the images, as `python -m mesh.images` makes it."
    )
    output_files_bytes: int = Field(default=32 * _MIB, ge=1, description="Most bytes of the files that a run returns.")
    warm_zygotes: int = Field(default=8, ge=1, le=256, description="Most interpreters that are kept warm.")
    warm_zygote_idle_s: float = Field(default=300.0, gt=0, description="Time after which an unused one is ended.")

    runsc: str = Field(
        default="",
        description="Path of gVisor's runsc, for organisations that want a kernel of their own; empty for none.",
    )
    egress_allow: TargetList = Field(
        default_factory=list[str],
        description="What programs may reach when they ask for it: host:port or *.example.com:443; nothing by default.",
    )

    @model_validator(mode="after")
    def _defaults_within_ceilings(self) -> Settings:
        for name in ("wall_time_s", "memory_bytes", "processes", "output_bytes"):
            if getattr(self, name) > getattr(self, f"max_{name}"):
                raise ValueError(f"{name} is above max_{name}")
        return self

    def run_places(self) -> PlaceRules:
        """Return how many runs go on and wait."""
        return PlaceRules(
            what="programs",
            places=self.max_concurrent_runs,
            places_per_organisation=self.max_runs_per_organisation,
            waiting=self.max_waiting_runs,
            waiting_per_organisation=self.max_waiting_runs_per_organisation,
        )

    def session_places(self) -> PlaceRules:
        """Return how many sessions there may be; nobody waits for one."""
        return PlaceRules("sessions", self.max_sessions, self.max_sessions_per_organisation)

    def process_places(self) -> PlaceRules:
        """Return how many long-lived processes there may be; nobody waits for one."""
        return PlaceRules("processes", self.max_processes_kept, self.max_processes_kept)

    def egress_allow_list(self) -> AllowList:
        """Return what programs may reach on this installation."""
        return AllowList("NEXUS_SANDBOX_EGRESS_ALLOW", tuple(map(rule_of, self.egress_allow)))

    def limit_policy(self) -> LimitPolicy:
        """Return the defaults and ceilings of runs."""
        return LimitPolicy(
            defaults=RunLimits(self.wall_time_s, self.memory_bytes, self.processes, self.output_bytes),
            ceilings=RunLimits(self.max_wall_time_s, self.max_memory_bytes, self.max_processes, self.max_output_bytes),
        )
