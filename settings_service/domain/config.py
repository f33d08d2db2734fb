"""An organisation's configuration, and the pure change of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from settings_service.domain.errors import empty_mask, invalid_value, unknown_path


@dataclass(frozen=True, slots=True)
class AgentConfig:
    """How agents run. `default_model` is `provider/model`, or empty for the router's chain; `timeout_s` in seconds."""

    default_model: str = ""
    max_steps: int = 8
    max_tool_calls: int = 16
    timeout_s: int = 120
    time_zone: str = "UTC"


@dataclass(frozen=True, slots=True)
class ToolScope:
    """Narrows the tools of an agent, of a channel (empty: of every one) to names and patterns such as `github_*`."""

    agent: str = ""
    channel: str = ""
    allowed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ToolsConfig:
    """Which tools are off: their names, sorted; and what agents and channels are narrowed to."""

    disabled: tuple[str, ...] = ()
    scopes: tuple[ToolScope, ...] = ()


class IsolationLevel(StrEnum):
    """How strongly untrusted code is isolated, the weakest first."""

    NAMESPACES = "namespaces"
    USER_KERNEL = "user_kernel"
    VIRTUAL_MACHINE = "virtual_machine"


@dataclass(frozen=True, slots=True)
class SandboxConfig:
    """How code is run: it is refused where the host offers less isolation."""

    least_isolation: IsolationLevel = IsolationLevel.NAMESPACES


@dataclass(frozen=True, slots=True)
class CalendarConfig:
    """Where the calendar comes from: an https address or none; whether to show demonstration data without one."""

    url: str = ""
    demo: bool = True


@dataclass(frozen=True, slots=True)
class Config:
    """A whole configuration. `version` counts up from 1 with each change; 0 is the defaults."""

    agent: AgentConfig = field(default_factory=AgentConfig)
    tools: ToolsConfig = field(default_factory=ToolsConfig)
    calendar: CalendarConfig = field(default_factory=CalendarConfig)
    sandbox: SandboxConfig = field(default_factory=SandboxConfig)
    version: int = 0
    update_time: datetime | None = None

    @property
    def etag(self) -> str:
        """Return the opaque version for optimistic updates."""
        return f"v{self.version}"


SECTIONS: Mapping[str, type] = {
    "agent": AgentConfig,
    "tools": ToolsConfig,
    "calendar": CalendarConfig,
    "sandbox": SandboxConfig,
}
PATHS: tuple[str, ...] = tuple(f"{name}.{f.name}" for name, section in SECTIONS.items() for f in fields(section))
_NAME = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_PATTERN = re.compile(r"[a-z0-9_*]{1,128}")
_LIMITS = {"agent.max_steps": (1, 50), "agent.max_tool_calls": (1, 100), "agent.timeout_s": (1, 3600)}


def changed(current: Config, wanted: Config, paths: tuple[str, ...]) -> Config:
    """Return `current` with the values of `wanted` at `paths`; a bare section name means all of its settings.

    Raises:
        InvalidInput: for an empty mask, an unknown path, or a value out of range.
    """
    if not paths:
        raise empty_mask()
    leaves: list[str] = []
    for path in paths:
        found = [p for p in PATHS if p == path or p.startswith(f"{path}.")]
        if not found:
            raise unknown_path(path, PATHS)
        leaves += found
    result = current
    for leaf in leaves:
        section, _, name = leaf.partition(".")
        value = getattr(getattr(wanted, section), name)
        _check(leaf, value)
        result = replace(result, **{section: replace(getattr(result, section), **{name: value})})
    return result


def _check(path: str, value: Any) -> None:
    """Refuse a value that the setting at `path` cannot have."""
    if path in _LIMITS:
        low, high = _LIMITS[path]
        if not low <= value <= high:
            raise invalid_value(path, f"must be {low} to {high}")
    elif path == "agent.time_zone":
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise invalid_value(path, "must be an IANA time zone such as Europe/Berlin") from None
    elif path == "tools.scopes":
        _check_scopes(path, value)
    elif path == "calendar.url" and value and not value.startswith("https://"):
        raise invalid_value(path, "must start with https://")
    elif path == "agent.default_model" and value and "/" not in value:
        raise invalid_value(path, "must be provider/model; `nexus models list` shows them")


def _check_scopes(path: str, scopes: tuple[ToolScope, ...]) -> None:
    whose = [(scope.agent, scope.channel) for scope in scopes]
    if len(set(whose)) < len(whose):
        raise invalid_value(path, "names an agent and channel twice")
    for scope in scopes:
        if any(name and _NAME.fullmatch(name) is None for name in (scope.agent, scope.channel)):
            raise invalid_value(path, "names an agent or channel with other than letters, digits and . _ : -")
        if any(_PATTERN.fullmatch(pattern) is None for pattern in scope.allowed):
            raise invalid_value(path, "allows what is no name of a tool and no pattern such as github_*")


def to_document(config: Config) -> dict[str, Any]:
    """Return the settings of `config` as a JSON document, without version and time."""
    return {name: asdict(getattr(config, name)) for name in SECTIONS}


def from_document(document: Mapping[str, Any], version: int, update_time: datetime) -> Config:
    """Return the configuration kept in `document`; settings that it does not know yet have their defaults."""

    def section(name: str) -> Any:
        known = {f.name for f in fields(SECTIONS[name])}
        values = {k: v for k, v in document.get(name, {}).items() if k in known}
        return SECTIONS[name](**{k: _READERS.get(f"{name}.{k}", _plain)(v) for k, v in values.items()})

    sections = {name: section(name) for name in SECTIONS}
    return Config(**sections, version=version, update_time=update_time)


def _plain(value: Any) -> Any:
    return tuple(cast("list[str]", value)) if isinstance(value, list) else value


def _scopes(value: Any) -> tuple[ToolScope, ...]:
    return tuple(ToolScope(each["agent"], each["channel"], tuple(each["allowed"])) for each in value)


_READERS: Mapping[str, Callable[[Any], Any]] = {"tools.scopes": _scopes, "sandbox.least_isolation": IsolationLevel}


def with_tool(config: Config, tool: str, *, enabled: bool) -> Config:
    """Return `config` with `tool` enabled or disabled."""
    disabled = set(config.tools.disabled) - {tool} if enabled else {*config.tools.disabled, tool}
    return replace(config, tools=replace(config.tools, disabled=tuple(sorted(disabled))))
