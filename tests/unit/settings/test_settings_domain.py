"""Configuration, roles and keys as pure functions."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from settings_service.adapters.role_file import load_roles
from settings_service.domain.api_key import format_key, hash_key
from settings_service.domain.config import (
    PATHS,
    AgentConfig,
    Config,
    IsolationLevel,
    SandboxConfig,
    ToolsConfig,
    ToolScope,
    changed,
    from_document,
    to_document,
    with_tool,
)
from settings_service.domain.roles import Role, RoleCatalog
from shared.errors import InvalidInput, PreconditionFailed

ROLES = Path(__file__).resolve().parents[3] / "config/policies/roles.yaml"
agents = st.builds(
    AgentConfig,
    default_model=st.sampled_from(["", "local/chat", "openai/gpt"]),
    max_steps=st.integers(1, 50),
    max_tool_calls=st.integers(1, 100),
    timeout_s=st.integers(1, 3600),
    time_zone=st.sampled_from(["UTC", "Europe/Berlin"]),
)
scopes = st.lists(
    st.builds(
        ToolScope,
        st.sampled_from(["", "clerk", "bot:2"]),
        st.sampled_from(["", "telegram"]),
        st.lists(st.sampled_from(["a", "github_*", "*"])).map(tuple),
    ),
    unique_by=lambda scope: (scope.agent, scope.channel),
).map(tuple)
configs = st.builds(
    Config,
    agent=agents,
    tools=st.builds(ToolsConfig, st.just(("a", "b")), scopes),
    sandbox=st.builds(SandboxConfig, st.sampled_from(IsolationLevel)),
)


@given(configs, configs, st.sets(st.sampled_from(PATHS), min_size=1))
def test_only_masked_fields_change(current: Config, wanted: Config, paths: set[str]) -> None:
    result = changed(current, wanted, tuple(paths))
    for path in PATHS:
        section, _, name = path.partition(".")
        source = wanted if path in paths else current
        assert getattr(getattr(result, section), name) == getattr(getattr(source, section), name)


@given(configs)
def test_a_document_keeps_everything_as_plain_json(config: Config) -> None:
    at = datetime(2026, 11, 20, tzinfo=UTC)
    read = from_document(json.loads(json.dumps(to_document(config))), 7, at)
    assert read == replace(config, version=7, update_time=at)
    assert all(isinstance(scope, ToolScope) for scope in read.tools.scopes)
    assert isinstance(read.sandbox.least_isolation, IsolationLevel)


@pytest.mark.parametrize(
    "wrong",
    [
        (ToolScope("clerk"), ToolScope("clerk", "", ("a",))),
        (ToolScope("two words", "", ("a",)),),
        (ToolScope("", "line\nbreak", ("a",)),),
        (ToolScope("", "", ("Upper",)),),
        (ToolScope("", "", ("a?",)),),
        (ToolScope("", "", ("",)),),
    ],
)
def test_a_wrong_scope_is_refused_and_changes_nothing(wrong: tuple[ToolScope, ...]) -> None:
    with pytest.raises(InvalidInput) as caught:
        changed(Config(), Config(tools=ToolsConfig(scopes=wrong)), ("tools.scopes",))
    assert caught.value.violations[0].field == "config.tools.scopes"


def test_switching_a_tool_keeps_the_scopes() -> None:
    config = Config(tools=ToolsConfig(scopes=(ToolScope("clerk", "", ("a",)),)))
    assert with_tool(config, "x", enabled=False).tools == ToolsConfig(("x",), config.tools.scopes)


def test_a_section_names_all_its_fields() -> None:
    wanted = Config(agent=AgentConfig(max_steps=3, timeout_s=9))
    assert changed(Config(), wanted, ("agent",)).agent == wanted.agent


def test_a_document_of_a_newer_version_is_read() -> None:
    document = {"agent": {"max_steps": 3, "from_the_future": 1}, "unknown": {}}
    assert from_document(document, 1, datetime.now(UTC)).agent == AgentConfig(max_steps=3)


@pytest.mark.parametrize(
    ("config", "path", "reason"),
    [
        (Config(), "agent.color", "SETTING_UNKNOWN"),
        (Config(), "etag", "SETTING_UNKNOWN"),
        (Config(agent=AgentConfig(max_steps=0)), "agent.max_steps", "SETTING_INVALID"),
        (Config(agent=AgentConfig(timeout_s=3601)), "agent.timeout_s", "SETTING_INVALID"),
        (Config(agent=AgentConfig(time_zone="Mars/Base")), "agent.time_zone", "SETTING_INVALID"),
        (Config(agent=AgentConfig(time_zone="../etc/passwd")), "agent.time_zone", "SETTING_INVALID"),
        (Config(agent=AgentConfig(default_model="gpt")), "agent.default_model", "SETTING_INVALID"),
    ],
)
def test_a_bad_change_is_refused_with_its_field(config: Config, path: str, reason: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        changed(Config(), config, (path,))
    assert caught.value.reason == reason
    assert path in caught.value.violations[0].field + caught.value.violations[0].description


def test_an_empty_mask_is_refused() -> None:
    with pytest.raises(InvalidInput, match="MASK_EMPTY"):
        changed(Config(), Config(), ())


@given(st.sets(st.sampled_from("abcdef")), st.sampled_from("abcdef"), st.booleans())
def test_a_tool_is_switched_and_nothing_else(disabled: set[str], tool: str, enabled: bool) -> None:
    before = Config(tools=ToolsConfig(tuple(sorted(disabled))))
    after = with_tool(before, tool, enabled=enabled)
    assert (tool in after.tools.disabled) is not enabled
    assert set(after.tools.disabled) - {tool} == disabled - {tool}
    assert list(after.tools.disabled) == sorted(after.tools.disabled)


@given(st.binary(min_size=32, max_size=32))
def test_a_key_is_recognisable_and_its_hash_is_not_the_key(secret: bytes) -> None:
    key = format_key(secret)
    assert key.startswith("nxk_")
    assert len(key) == 47
    assert key[4:] not in hash_key(key)


def test_each_role_has_what_the_lower_ones_have() -> None:
    roles = load_roles(ROLES)
    order = [roles.permissions([name]) for name in ("viewer", "operator", "admin", "owner")]
    assert all(low < high for low, high in pairwise(order))
    assert roles.permissions(["nobody"]) == frozenset()


@pytest.mark.parametrize(
    "roles",
    [{"a": Role((), ("a",))}, {"a": Role((), ("b",)), "b": Role((), ("a",))}, {"a": Role((), ("missing",))}],
)
def test_roles_that_include_themselves_or_nothing_are_refused(roles: dict[str, Role]) -> None:
    with pytest.raises(PreconditionFailed, match="ROLES_INVALID"):
        RoleCatalog(roles)
