"""`nexus tools scope` and `nexus tools audit` against services that answer as the test says."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mesh.cli.app import app
from protos.gen.nexus.settings.v1 import settings_pb2
from protos.gen.nexus.tools.v1 import audit_pb2, policy_pb2

sys.path.insert(0, str(Path(__file__).parent / "cli_kit"))
from fake_mesh import fake_mesh

CLERK = settings_pb2.ToolScope(agent="clerk", channel="telegram", allowed=["calculator"])
GUEST = settings_pb2.ToolScope(channel="web", allowed=["get_*", "calculator"])


@pytest.fixture
def mesh(tmp_path):
    config = settings_pb2.Config(tools=settings_pb2.ToolsConfig(disabled=["x"], scopes=[CLERK, GUEST]), etag="v3")
    with fake_mesh(tmp_path / "d") as running:
        running.answers["GetConfig"] = lambda _: settings_pb2.GetConfigResponse(config=config)
        running.answers["UpdateConfig"] = lambda request: settings_pb2.UpdateConfigResponse(config=request.config)
        yield running


@pytest.fixture
def nexus(tmp_path, monkeypatch):
    for name in ("NEXUS_DATA", "NEXUS_API_KEY", "NEXUS_ADDRESS"):
        monkeypatch.delenv(name, raising=False)

    def call(*arguments):
        return CliRunner().invoke(app, [*arguments, "--data", str(tmp_path / "d")], env={"COLUMNS": "200"})

    return call


def test_scopes_are_listed(mesh, nexus) -> None:
    rows = [line.split(maxsplit=2) for line in nexus("tools", "scope", "list").stdout.splitlines()]
    assert rows[1:] == [["clerk", "telegram", "calculator"], ["every", "web", "get_*, calculator"]]
    assert len(json.loads(nexus("tools", "scope", "list", "--json").stdout)["scopes"]) == 2


def test_a_scope_takes_the_place_of_the_one_of_the_same_agent_and_channel(mesh, nexus) -> None:
    result = nexus("tools", "scope", "set", "github_*", "--agent", "clerk", "--channel", "telegram")
    (request,) = mesh.requests("UpdateConfig")
    assert result.exit_code == 0
    changed = settings_pb2.ToolScope(agent="clerk", channel="telegram", allowed=["github_*"])
    assert list(request.config.tools.scopes) == [GUEST, changed]
    assert (list(request.update_mask.paths), request.config.etag) == (["tools.scopes"], "v3")
    assert request.request_id


def test_a_scope_is_cleared_and_one_that_is_not_there_is_told(mesh, nexus) -> None:
    assert nexus("tools", "scope", "clear", "--channel", "web").exit_code == 0
    assert list(mesh.requests("UpdateConfig")[0].config.tools.scopes) == [CLERK]
    missing = nexus("tools", "scope", "clear", "--agent", "nobody")
    assert missing.exit_code != 0
    assert "no such scope" in missing.output
    assert len(mesh.requests("UpdateConfig")) == 1


def test_scopes_and_isolation_are_settings_too(mesh, nexus) -> None:
    shown = nexus("settings", "get").stdout
    assert '"agent": "clerk"' in shown
    assert "sandbox.least_isolation" in shown
    assert nexus("settings", "set", "sandbox.least_isolation", "user_kernel").exit_code == 0
    assert nexus("settings", "set", "tools.scopes", '[{"agent": "clerk", "allowed": ["a"]}]').exit_code == 0
    level, scopes = (request.config for request in mesh.requests("UpdateConfig"))
    assert level.sandbox.least_isolation == settings_pb2.ISOLATION_LEVEL_USER_KERNEL
    assert list(scopes.tools.scopes) == [settings_pb2.ToolScope(agent="clerk", allowed=["a"])]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("sandbox.least_isolation", "strongest"),
        ("tools.scopes", "a,b"),
        ("tools.scopes", '[{"agents": "x"}]'),
        ("tools.scopes", "[1]"),
    ],
)
def test_a_wrong_value_is_refused_before_anybody_is_asked(mesh, nexus, path: str, value: str) -> None:
    refused = nexus("settings", "set", path, value)
    assert refused.exit_code == 2
    assert mesh.calls == []


def test_the_audit_shows_who_was_refused_and_by_what(mesh, nexus) -> None:
    event = audit_pb2.AuditEvent(
        event_id="e",
        user_id="u-1",
        tool="pay",
        agent="clerk",
        reason="No.",
        policies=["platform:a", "scope:agent=clerk"],
    )
    done = audit_pb2.AuditEvent(event_id="d", user_id="u-1", tool="save", allowed=True, policies=["platform:b"])
    mesh.answers["ListAuditEvents"] = lambda _: audit_pb2.ListAuditEventsResponse(events=[event, done])
    shown = nexus("tools", "audit", "--refused", "--limit", "7").stdout
    assert "platform:a, scope:agent=clerk" in shown
    assert "let through" in shown
    (request,) = mesh.requests("ListAuditEvents")
    assert (request.refused_only, request.page_size) == (True, 7)
    assert json.loads(nexus("tools", "audit", "--json").stdout)["events"][0]["tool"] == "pay"


def test_policy_files_are_listed_and_a_wrong_one_is_told_with_its_line(mesh, nexus) -> None:
    good = policy_pb2.PolicyFile(name="tools.cedar", policies=["everyday", "payments-by-owners"])
    files = [good]
    mesh.answers["ListPolicyFiles"] = lambda _: policy_pb2.ListPolicyFilesResponse(
        files=files, own_file="tools/0190.cedar"
    )
    shown = nexus("tools", "policies")
    assert (shown.exit_code, "everyday, payments-by-owners" in shown.stdout) == (0, True)
    assert "tools/0190.cedar" in shown.stderr
    files.append(policy_pb2.PolicyFile(name="tools/acme.cedar", problem="line 3: attribute `chanel` not found"))
    wrong = nexus("tools", "policies")
    assert wrong.exit_code == 1
    assert "tools/acme.cedar line 3: attribute `chanel` not found" in wrong.stdout
