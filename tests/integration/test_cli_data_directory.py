"""A data directory that cannot be one: every command says so in a line, and nothing is changed."""

import json
import stat

import pytest
from typer.testing import CliRunner

from mesh.cli.app import app
from mesh.supervisor.adapters import data_directory
from mesh.supervisor.domain.data_layout import DataLayout
from shared.errors import PreconditionFailed

COMMANDS = [("status",), ("down",), ("ask", "?"), ("tools", "list"), ("up", "--port-base", "0")]


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch):
    for name in ("NEXUS_DATA", "NEXUS_API_KEY", "NEXUS_ADDRESS", "NEXUS_PORT_BASE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "file"
    path.write_text("mine")
    return path


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_file_is_refused(file, command):
    result = CliRunner().invoke(app, [*command, "--data", str(file), "--json"])
    assert (result.exit_code, result.stdout) == (1, "")
    error = json.loads(result.stderr)["error"]
    assert error["reason"] == "DATA_DIR_UNUSABLE"
    assert str(file) in error["message"]


def test_the_doctor_finds_it(file):
    result = CliRunner().invoke(app, ["doctor", "--data", str(file), "--json"])
    found = {check["check"]: check for check in json.loads(result.stdout)["checks"]}
    assert result.exit_code == 1
    assert found["data directory"]["level"] == found["mesh"]["level"] == "fail"
    assert all(check["remedy"] for check in found.values() if check["level"] == "fail")


def test_a_directory_with_other_things_is_refused_and_stays_as_it_is(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    home.chmod(0o755)
    (home / "letters").mkdir()
    with pytest.raises(PreconditionFailed, match=r"DATA_DIR_UNUSABLE.*letters"):
        data_directory.prepare(DataLayout(home))
    assert [entry.name for entry in home.iterdir()] == ["letters"]
    assert stat.S_IMODE(home.stat().st_mode) == 0o755


def test_an_empty_a_fresh_and_a_used_directory_are_taken(tmp_path):
    for held in ("", "lost+found", "logs"):
        layout = DataLayout(tmp_path / f"with-{held}")
        (layout.root / held).mkdir(parents=True)
        data_directory.prepare(layout)
        (layout.root / "notes.txt").write_text("mine")
        data_directory.prepare(layout)
        assert stat.S_IMODE(layout.root.stat().st_mode) == 0o700
        assert layout.mesh_key.exists()
