"""Configurations between messages and the domain."""

from __future__ import annotations

from google.protobuf import timestamp_pb2

from protos.gen.nexus.settings.v1 import settings_pb2
from settings_service.domain.config import (
    AgentConfig,
    CalendarConfig,
    Config,
    IsolationLevel,
    SandboxConfig,
    ToolsConfig,
    ToolScope,
)

_LEVELS = {
    IsolationLevel.NAMESPACES: settings_pb2.ISOLATION_LEVEL_NAMESPACES,
    IsolationLevel.USER_KERNEL: settings_pb2.ISOLATION_LEVEL_USER_KERNEL,
    IsolationLevel.VIRTUAL_MACHINE: settings_pb2.ISOLATION_LEVEL_VIRTUAL_MACHINE,
}
_LEVELS_BY_NUMBER = {number: level for level, number in _LEVELS.items()}


def config_to_proto(config: Config) -> settings_pb2.Config:
    """Return `config` as a message."""
    message = settings_pb2.Config(
        agent=settings_pb2.AgentConfig(
            default_model=config.agent.default_model,
            max_steps=config.agent.max_steps,
            max_tool_calls=config.agent.max_tool_calls,
            timeout_s=config.agent.timeout_s,
            time_zone=config.agent.time_zone,
        ),
        tools=settings_pb2.ToolsConfig(
            disabled=config.tools.disabled,
            scopes=[
                settings_pb2.ToolScope(agent=scope.agent, channel=scope.channel, allowed=scope.allowed)
                for scope in config.tools.scopes
            ],
        ),
        calendar=settings_pb2.CalendarConfig(url=config.calendar.url, demo=config.calendar.demo),
        sandbox=settings_pb2.SandboxConfig(least_isolation=_LEVELS[config.sandbox.least_isolation]),
        etag=config.etag,
    )
    if config.update_time is not None:
        stamp = timestamp_pb2.Timestamp()
        stamp.FromDatetime(config.update_time)
        message.update_time.CopyFrom(stamp)
    return message


def config_from_proto(message: settings_pb2.Config) -> Config:
    """Return the settings in `message`; version and time are the store's."""
    agent, calendar = message.agent, message.calendar
    return Config(
        AgentConfig(agent.default_model, agent.max_steps, agent.max_tool_calls, agent.timeout_s, agent.time_zone),
        ToolsConfig(
            tuple(sorted(message.tools.disabled)),
            tuple(ToolScope(each.agent, each.channel, tuple(each.allowed)) for each in message.tools.scopes),
        ),
        CalendarConfig(calendar.url, calendar.demo if calendar.HasField("demo") else True),
        # Not set means namespaces; another number does not come through the validation.
        SandboxConfig(_LEVELS_BY_NUMBER.get(message.sandbox.least_isolation, IsolationLevel.NAMESPACES)),
    )
