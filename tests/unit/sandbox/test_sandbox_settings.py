from __future__ import annotations

import pytest
from pydantic import ValidationError

from sandbox_service.domain.egress import AllowList, EgressRule
from sandbox_service.settings import Settings


def test_each_kind_of_place_has_its_own_count() -> None:
    settings = Settings(max_concurrent_runs=7, max_sessions=5, max_processes_kept=3, max_waiting_runs=9)
    counts = (settings.run_places(), settings.session_places(), settings.process_places())
    assert [(each.what, each.places, each.waiting) for each in counts] == [
        ("programs", 7, 9),
        ("sessions", 5, 0),
        ("processes", 3, 0),
    ]


def test_by_default_no_program_may_reach_anything() -> None:
    assert Settings().egress_allow_list() == AllowList("NEXUS_SANDBOX_EGRESS_ALLOW")


@pytest.mark.parametrize("text", ["pypi.org:443,*.Example.com:80", " pypi.org:443  *.example.com:80\n"])
def test_targets_are_separated_by_commas_or_spaces(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("NEXUS_SANDBOX_EGRESS_ALLOW", text)
    assert Settings().egress_allow_list().rules == (EgressRule("pypi.org", 443), EgressRule("*.example.com", 80))


@pytest.mark.parametrize("text", ["pypi.org", "*:443", "https://pypi.org", "pypi.org:443,*"])
def test_a_target_that_is_none_stops_the_service_at_its_start(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("NEXUS_SANDBOX_EGRESS_ALLOW", text)
    with pytest.raises(ValidationError, match="must be host:port"):
        Settings()
