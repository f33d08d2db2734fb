"""What keeps `nexus up` from starting: said precisely, before anything is started."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

NEXUS = Path(sys.executable).with_name("nexus")


@pytest.fixture
def weights(tmp_path):
    folder = tmp_path / "weights"
    folder.mkdir()
    for name in ("chat.gguf", "embed.gguf"):
        (folder / name).write_bytes(b"GGUF")
    return folder


@pytest.fixture
def up(tmp_path, weights):
    def call(*options, **environment):
        basic = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "NEXUS_WEIGHTS_DIR": str(weights)}
        command = [NEXUS, "up", "--json", "--data", tmp_path / "data", *options]
        return subprocess.run(
            command, env={**basic, **environment}, capture_output=True, text=True, timeout=30, check=False
        )

    return call


def refusal(done, code):
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    return json.loads(done.stderr.splitlines()[-1])["error"]


def taken_after_free_ones(count):
    """A socket that listens on a port before which as many are free: others on the machine have ports too."""
    while True:
        taken = socket.socket()
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        if all(is_free(taken.getsockname()[1] - below) for below in range(1, count + 1)):
            return taken
        taken.close()


def is_free(port):
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


@pytest.mark.parametrize("detach", [(), ("--detach",)])
def test_a_taken_port_is_named_with_who_to_ask_and_what_to_do(up, tmp_path, detach):
    with taken_after_free_ones(3) as taken:
        port = taken.getsockname()[1]
        error = refusal(up("--port-base", str(port - 3), *detach), 1)
    assert error["reason"] == "PORT_TAKEN"
    assert f"Port {port} (sandbox)" in error["message"]
    assert f"ss -ltnp 'sport = :{port}'" in error["message"]
    assert "--port-base" in error["message"]
    assert list((tmp_path / "data" / "run").glob("*.sock")) == []
    assert not (tmp_path / "data" / "run" / "mesh.json").exists()


@pytest.mark.parametrize("detach", [(), ("--detach",)])
def test_missing_weights_are_named_with_the_command_that_makes_them(up, weights, detach):
    (weights / "embed.gguf").unlink()
    error = refusal(up("--port-base", "0", *detach), 6)
    assert error["reason"] == "WEIGHTS_MISSING"
    assert str(weights / "embed.gguf") in error["message"]
    assert "python -m mesh.weights" in error["message"]


def test_a_setting_that_the_supervisor_decides_is_refused_by_name(up):
    error = refusal(up("--port-base", "0", NEXUS_TOOLS_LISTEN="0.0.0.0:1"), 2)
    assert error["reason"] == "SETTING_OWNED"
    assert "NEXUS_TOOLS_LISTEN" in error["message"]


@pytest.mark.parametrize("base", ["80", "-1", "70000"])
def test_a_port_base_out_of_range_is_refused(up, base):
    error = refusal(up("--port-base", base), 2)
    assert error["reason"] == "SETTINGS_INVALID"
    assert error["message"].startswith("NEXUS_PORT_BASE: ")
    assert "Value error" not in error["message"]


def test_a_data_directory_that_is_a_file_is_refused(up, tmp_path):
    (tmp_path / "data").write_text("")
    assert refusal(up("--port-base", "0"), 1)["reason"] == "DATA_DIR_UNUSABLE"


def test_an_empty_first_question_is_refused_before_the_start(up, tmp_path):
    assert refusal(up("--ask", "  "), 2)["reason"] == "QUESTION_EMPTY"
    assert not (tmp_path / "data").exists()
