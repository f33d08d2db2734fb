"""The supervisor over real processes: start, restart, stop, refusal, and no orphans whatever happens."""

import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from mesh.supervisor.adapters.state_store_file import read_state

KIT = Path(__file__).parent / "supervisor_kit"
SECRET = "hunter2-" * 4


def wait_for(condition, seconds=15.0):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if (found := condition()) or time.monotonic() > deadline:
            return found
        time.sleep(0.02)
    raise AssertionError("it did not happen in time")


class Mesh:
    def __init__(self, data, *services, **environment):
        self.data = data
        self.process = subprocess.Popen(
            [sys.executable, str(KIT / "dummy_mesh.py"), str(data), *services],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, **environment},
        )
        self.seen = set()

    def event(self):
        return json.loads(self.process.stdout.readline())

    def ready(self):
        assert self.event() == {"event": "ready", "phase": "ready"}
        self.note_children()
        return self

    def state(self):
        return read_state(self.data / "run" / "mesh.json")

    def service(self, name):
        state = self.state()
        return state.service(name) if state else None

    def note_children(self):
        self.seen |= {
            (child.pid, child.create_time()) for child in psutil.Process(self.process.pid).children(recursive=True)
        }

    def end(self):
        code = self.process.wait(20)
        events = [json.loads(line) for line in self.process.stdout.read().splitlines()]
        return code, events

    def survivors(self):
        return [pid for pid, born in self.seen if alive(pid, born)]


def alive(pid, born):
    try:
        process = psutil.Process(pid)
        return process.create_time() == born and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
def start(tmp_path):
    meshes = []

    def begin(*services, data=tmp_path / "data", **environment):
        mesh = Mesh(data, *services, **environment)
        meshes.append(mesh)
        return mesh

    yield begin
    for mesh in meshes:
        if mesh.process.poll() is None:
            mesh.process.kill()
        mesh.process.wait(5)
        mesh.process.stdout.close()


def test_a_mesh_comes_up_private_and_its_state_file_tells_where_everything_is(start):
    mesh = start("a=serve", "b=serve").ready()

    state = mesh.state()
    assert (state.phase, state.supervisor_pid) == ("ready", mesh.process.pid)
    assert [entry.name for entry in state.services] == ["a", "b"]
    for entry in state.services:
        assert psutil.pid_exists(entry.pid)
        socket = Path(entry.address.removeprefix("unix:"))
        assert stat.S_ISSOCK(socket.stat().st_mode)
        assert stat.S_IMODE(socket.stat().st_mode) == 0o600
    for folder in ("", "secrets", "db", "run", "logs"):
        assert stat.S_IMODE((mesh.data / folder).stat().st_mode) == 0o700
    keys = [mesh.data / "secrets" / name for name in ("mesh.key", "local-model.key")]
    assert [stat.S_IMODE(key.stat().st_mode) for key in keys] == [0o600, 0o600]
    assert len({bytes.fromhex(key.read_text()) for key in keys}) == 2


def test_keys_stay_the_same_from_start_to_start(start):
    mesh = start("a=serve").ready()
    before = (mesh.data / "secrets" / "mesh.key").read_text()
    mesh.process.send_signal(signal.SIGTERM)
    mesh.end()

    assert (start("a=serve").ready().data / "secrets" / "mesh.key").read_text() == before


def test_a_process_sees_only_the_environment_that_was_planned_for_it(start):
    mesh = start("a=serve", MY_SECRET=SECRET, NEXUS_API_KEY=SECRET).ready()

    report = (mesh.data / "run" / "a.report").read_text()
    assert SECRET not in report
    assert set(json.loads(report)["env"]) >= {"PATH", "DUMMY_LISTEN"}


def test_a_killed_process_is_started_again_and_the_state_says_so(start):
    mesh = start("a=serve", "b=serve").ready()
    first, neighbour = mesh.service("a").pid, mesh.service("b").pid

    os.kill(first, signal.SIGKILL)

    again = wait_for(lambda: (e := mesh.service("a")) and e.restarts == 1 and e.state == "ready" and e)
    assert again.pid != first
    assert again.last_exit == "killed by SIGKILL"
    assert mesh.service("b").pid == neighbour
    wait_for(lambda: mesh.state().phase == "ready")


def test_a_process_that_never_works_fails_the_start_with_its_last_words(start):
    mesh = start("good=serve", "bad=crash")

    code, events = mesh.end()

    assert code == 1
    assert [event["reason"] for event in events] == ["SERVICE_FAILED"]
    message = events[0]["message"]
    assert "bad ended 5 times in a row" in message
    assert "exit code 3" in message
    assert "the last words of the dummy" in message
    assert not (mesh.data / "run" / "mesh.json").exists()


def test_a_process_that_says_it_is_not_serving_fails_the_start_at_the_time_limit(start):
    mesh = start("sick=sick", NEXUS_START_TIMEOUT_S="1.5")

    code, events = mesh.end()

    assert (code, events[0]["reason"]) == (1, "SERVICE_NOT_READY")
    assert "sick (starting)" in events[0]["message"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_stops_everything_and_removes_the_state_file(start, number):
    mesh = start("a=serve", "b=serve").ready()

    mesh.process.send_signal(number)

    assert mesh.end() == (0, [{"event": "stopped"}])
    assert mesh.survivors() == []
    assert not (mesh.data / "run" / "mesh.json").exists()


def test_a_process_that_ignores_the_request_is_killed_after_the_grace(start):
    mesh = start("a=stubborn", NEXUS_STOP_GRACE_S="0.4").ready()
    began = time.monotonic()

    mesh.process.send_signal(signal.SIGTERM)

    assert mesh.end()[0] == 0
    assert 0.3 < time.monotonic() - began < 5
    assert mesh.survivors() == []


def test_a_second_signal_kills_at_once(start):
    mesh = start("a=stubborn", NEXUS_STOP_GRACE_S="60").ready()
    mesh.process.send_signal(signal.SIGINT)
    wait_for(lambda: mesh.service("a").state == "stopping")

    mesh.process.send_signal(signal.SIGINT)

    assert mesh.end()[0] == 0
    assert mesh.survivors() == []


def test_a_second_start_on_one_data_directory_is_refused_with_the_holder_named(start):
    first = start("a=serve").ready()

    code, events = start("a=serve").end()

    assert (code, events[0]["reason"]) == (1, "MESH_RUNNING")
    assert f"pid {first.process.pid}" in events[0]["message"]
    assert first.state().phase == "ready"


def test_kill_9_of_the_supervisor_leaves_no_process_and_no_obstacle(start):
    mesh = start("a=serve", "b=stubborn").ready()

    mesh.process.kill()
    mesh.process.wait(5)

    wait_for(lambda: not mesh.survivors(), 5)
    start("a=serve", "b=serve").ready()


def test_what_a_dead_process_had_started_dies_too(start):
    mesh = start("a=with-child").ready()
    child_file = mesh.data / "run" / "a.child"
    grandchild = int(wait_for(lambda: child_file.exists() and child_file.read_text()))
    born = psutil.Process(grandchild).create_time()

    os.kill(mesh.service("a").pid, signal.SIGKILL)

    wait_for(lambda: not alive(grandchild, born), 5)


def test_sockets_move_to_a_short_private_folder_when_the_data_directory_is_deep(start, tmp_path):
    mesh = start("a=serve", data=tmp_path / ("deep" * 20) / "data").ready()

    state = mesh.state()
    folder = Path(state.socket_dir)
    assert state.service("a").address == f"unix:{folder}/a.sock"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    mesh.process.send_signal(signal.SIGTERM)
    mesh.end()
    assert not folder.exists()
