"""An organisation's configuration of its agents, and the limits of one run within it."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.domain.run import Limits


@dataclass(frozen=True, slots=True)
class AgentConfig:
    """How an organisation's agents run. `time_zone` is an IANA name; `default_model` empty for the router's chain."""

    default_model: str = ""
    max_steps: int = 8
    max_tool_calls: int = 16
    timeout_s: float = 120.0
    time_zone: str = "UTC"


@dataclass(frozen=True, slots=True)
class RequestedLimits:
    """The limits that a caller asks for; 0 means the organisation's."""

    max_steps: int = 0
    max_tool_calls: int = 0
    timeout_s: float = 0.0


def limits_within(config: AgentConfig, asked: RequestedLimits) -> Limits:
    """Return the limits of a run: what was asked for, never more than the organisation allows."""
    return Limits(
        max_steps=min(asked.max_steps or config.max_steps, config.max_steps),
        max_tool_calls=min(asked.max_tool_calls or config.max_tool_calls, config.max_tool_calls),
        timeout_s=min(asked.timeout_s or config.timeout_s, config.timeout_s),
    )
