"""`nexus cache clear` against a router that answers as the test says."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mesh.cli.app import app
from protos.gen.nexus.router.v1 import ledger_pb2
from shared import errors

sys.path.insert(0, str(Path(__file__).parent / "cli_kit"))
from fake_mesh import fake_mesh


@pytest.fixture
def mesh(tmp_path):
    with fake_mesh(tmp_path / "d") as running:
        running.answers["InvalidateCache"] = lambda _: ledger_pb2.InvalidateCacheResponse(removed=3)
        yield running


@pytest.fixture
def clear(tmp_path, monkeypatch):
    for name in ("NEXUS_DATA", "NEXUS_API_KEY", "NEXUS_ADDRESS"):
        monkeypatch.delenv(name, raising=False)

    def call(*arguments):
        return CliRunner().invoke(app, ["cache", "clear", *arguments, "--data", str(tmp_path / "d")])

    return call


def test_all_answers_are_cleared(mesh, clear) -> None:
    result = clear()
    (request,) = mesh.requests("InvalidateCache")

    assert (result.exit_code, result.stdout) == (0, "3 cached answers removed.\n")
    assert (request.model_prefix, request.HasField("older_than")) == ("", False)
    assert request.request_id


@pytest.mark.parametrize(("age", "seconds"), [("90s", 90), ("30m", 1800), ("12h", 43_200), ("7d", 604_800), ("0s", 0)])
def test_a_prefix_and_an_age_are_passed_on(mesh, clear, age: str, seconds: int) -> None:
    result = clear("--model-prefix", "openai/", "--older-than", age, "--json")
    (request,) = mesh.requests("InvalidateCache")

    assert json.loads(result.stdout) == {"removed": 3}
    assert request.model_prefix == "openai/"
    assert request.older_than.ToTimedelta().total_seconds() == seconds


@pytest.mark.parametrize("age", ["12", "h", "-1h", "1.5h", "tomorrow", "999999999d", "1h30m"])
def test_what_is_no_age_is_refused_before_anything_is_removed(mesh, clear, age: str) -> None:
    result = clear("--older-than", age)

    assert result.exit_code == 2
    assert mesh.requests("InvalidateCache") == []


def test_a_refusal_is_shown(mesh, clear) -> None:
    mesh.answers["InvalidateCache"] = errors.Forbidden("PERMISSION_DENIED", "You may not do that.")
    result = clear()

    assert result.exit_code != 0
    assert "You may not do that." in result.stderr
