from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError
from router_fakes import provider_spec

from provider_router.domain.contracts.provider import ProviderType
from provider_router.settings import Settings, SettingsCredentials

LOCAL = provider_spec("local", type=ProviderType.LOCAL).targets()[0]
REMOTE = provider_spec("remote", key_envs=("SOME_PROVIDER_KEY",)).targets()[0]


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("http://127.0.0.1:5", "http://127.0.0.1:5/v1"),
        ("http://127.0.0.1:5/", "http://127.0.0.1:5/v1"),
        ("http://127.0.0.1:5/v1", "http://127.0.0.1:5/v1"),
        ("http://127.0.0.1:5/api/", "http://127.0.0.1:5/api"),
    ],
)
def test_the_local_address_may_leave_out_the_version(given: str, used: str) -> None:
    assert Settings(local_chat_url=given).local_chat_url == used


@pytest.mark.parametrize("wrong", [{"local_chat_url": "unix:/x"}, {"idle_timeout_s": 0}, {"reload_s": -1}])
def test_wrong_settings_are_refused(wrong: dict) -> None:
    with pytest.raises(ValidationError):
        Settings(**wrong)


def test_breakers_and_probes_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"BREAKER_FAILURES": "3", "BREAKER_OPEN_S": "300", "PROBE_S": "0"}.items():
        monkeypatch.setenv(f"NEXUS_ROUTER_{name}", value)
    settings = Settings()
    breaker = settings.health.breaker
    # The cap is never below the first time.
    assert (breaker.consecutive_failures, breaker.open_s, breaker.open_cap_s) == (3, 300, 300)
    assert settings.probes.interval_s == 0
    assert Settings(probe_s=120).probes.cap_s == 120


def test_limits_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEXUS_ROUTER_FIRST_TOKEN_TIMEOUT_S", "7")
    limits = Settings().limits
    assert (limits.connect_s, limits.first_token_s, limits.idle_s, limits.total_s) == (5, 7, 30, 300)


@pytest.mark.parametrize(
    ("value", "key"),
    [("sk-1", "sk-1"), (" sk-1\n", "sk-1"), ("", None), ("   ", None), ("a\nb: c", None), ("ключ", None)],
)
def test_a_key_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch, value: str, key: str | None) -> None:
    monkeypatch.setenv("SOME_PROVIDER_KEY", value)
    assert SettingsCredentials(None).key_of(REMOTE) == key


def test_a_variable_is_taken_by_its_exact_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("some_provider_key", "sk-1")
    assert SettingsCredentials(None).key_of(REMOTE) is None


def test_a_provider_without_a_key_needs_none() -> None:
    assert SettingsCredentials(None).key_of(provider_spec().targets()[0]) == ""
    assert SettingsCredentials(None).key_of(LOCAL) == ""


def test_the_local_key_is_found_when_its_file_is_written_later(tmp_path: Path) -> None:
    file = tmp_path / "key"
    credentials = SettingsCredentials(file)
    assert credentials.key_of(LOCAL) is None
    file.write_text("secret\n")
    assert credentials.key_of(LOCAL) == "secret"


def test_no_key_shows_in_what_may_be_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_PROVIDER_KEY", "sk-very-secret")
    credentials = SettingsCredentials(None)
    assert credentials.key_of(REMOTE) == "sk-very-secret"
    assert "sk-very-secret" not in repr(credentials) + repr(vars(credentials)) + repr(Settings())
