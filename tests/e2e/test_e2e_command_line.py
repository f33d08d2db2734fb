"""The command line with bad input and on a machine that is not as it should be: one clear sentence, one exit code."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from shared.testing.running_mesh import RunningMesh

# As documented in docs/guides/cli.md.
USAGE, NOT_RUNNING, UNAUTHENTICATED, NOT_FOUND, SETUP_INCOMPLETE = 2, 3, 4, 5, 6


def told(done: subprocess.CompletedProcess[str]) -> str:
    """What a person reads, on one line."""
    text = " ".join((done.stdout + done.stderr).split())
    assert "Traceback" not in text
    return text


@pytest.mark.parametrize(
    "question", [b"", b" \n\t", b"\xff\xfe broken", b"a" * (1024 * 1024 + 1)], ids=["empty", "blank", "bytes", "huge"]
)
def test_a_bad_question_is_a_usage_error(mesh: RunningMesh, question: bytes) -> None:
    done = mesh.cli("ask", "-", given=question)
    assert done.returncode == USAGE, told(done)
    assert "question" in told(done).lower()


def test_a_question_may_come_from_standard_input(mesh: RunningMesh) -> None:
    done = mesh.cli("ask", "-", given=b"What is 6*7?\n")
    assert done.returncode == 0, told(done)
    assert "42" in done.stdout


def test_an_error_is_json_where_json_is_asked_for(mesh: RunningMesh) -> None:
    done = mesh.cli("ask", "Hello", "--model", "nobody/nothing", "--json")
    assert done.returncode == USAGE, told(done)
    assert "MODEL_UNKNOWN" in json.dumps([json.loads(line) for line in (done.stdout + done.stderr).splitlines()])


def test_a_wrong_key_is_said_so(mesh: RunningMesh) -> None:
    done = mesh.cli("runs", "list", NEXUS_API_KEY="nxk_wrong")
    assert done.returncode == UNAUTHENTICATED, told(done)


def test_an_unknown_run_is_not_found(mesh: RunningMesh) -> None:
    done = mesh.cli("runs", "show", "0198c0de-0000-7000-8000-000000000000")
    assert done.returncode == NOT_FOUND, told(done)


@pytest.mark.parametrize("command", [("ask", "Hello"), ("runs", "list"), ("tools", "list"), ("providers", "list")])
def test_without_a_mesh_the_remedy_is_named(mesh: RunningMesh, tmp_path: Path, command: tuple[str, ...]) -> None:
    done = mesh.cli(*command, NEXUS_DATA=str(tmp_path / "nothing"))
    assert done.returncode == NOT_RUNNING, told(done)
    assert "nexus up" in told(done)


def test_missing_weights_are_named_with_the_remedy(mesh: RunningMesh, tmp_path: Path) -> None:
    done = mesh.cli(
        *("up", "--detach", "--port-base", "0"), NEXUS_DATA=str(tmp_path / "data"), NEXUS_WEIGHTS_DIR=str(tmp_path)
    )
    assert done.returncode == SETUP_INCOMPLETE, told(done)
    assert "chat.gguf" in told(done)
    assert "make setup" in told(done)


def test_a_taken_port_is_named(mesh: RunningMesh, tmp_path: Path) -> None:
    port = mesh.address("orchestrator").rpartition(":")[2]
    done = mesh.cli("up", "--detach", "--port-base", port, NEXUS_DATA=str(tmp_path / "data"))
    assert done.returncode != 0
    assert port in told(done)
    assert "--port-base" in told(done)


@pytest.mark.parametrize("pair", [("agent.max_steps", "many"), ("agent.max_steps", "5000"), ("agent.colour", "blue")])
def test_a_bad_setting_is_refused_by_name(mesh: RunningMesh, pair: tuple[str, str]) -> None:
    before = mesh.cli_json("settings", "get")
    done = mesh.cli("settings", "set", *pair)
    assert done.returncode == USAGE, told(done)
    assert pair[0].rpartition(".")[2] in told(done)
    assert mesh.cli_json("settings", "get") == before
