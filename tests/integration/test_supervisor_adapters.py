"""The supervisor's adapters on the real machine: logs, locks, ports, folders, probes."""

import asyncio
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from mesh.supervisor.adapters import data_directory, data_lock, tcp_ports
from mesh.supervisor.adapters.health_probe_network import NetworkHealthProbe
from mesh.supervisor.adapters.log_files import LogFiles, open_log, rotate, tail
from mesh.supervisor.adapters.providers_file import provider_key_names
from mesh.supervisor.adapters.state_store_file import read_state
from mesh.supervisor.domain.data_layout import DataLayout
from mesh.supervisor.domain.process_spec import GrpcProbe, HttpProbe, ProcessSpec
from mesh.supervisor.domain.process_status import Health
from shared.errors import PreconditionFailed


def test_a_log_within_its_limit_is_left_alone(tmp_path):
    log = tmp_path / "a.log"
    log.write_text("12345")
    assert not rotate(log, 5)
    assert log.read_text() == "12345"


def test_a_log_over_its_limit_is_set_aside_while_its_writer_goes_on(tmp_path):
    log = tmp_path / "a.log"
    descriptor = open_log(log, 5)
    os.write(descriptor, b"old lines\n")
    assert rotate(log, 5)
    os.write(descriptor, b"new\n")
    os.close(descriptor)
    assert (log.read_text(), (tmp_path / "a.log.1").read_text()) == ("new\n", "old lines\n")


def test_a_log_is_rotated_when_it_is_opened_and_private(tmp_path):
    log = tmp_path / "a.log"
    log.write_text("old lines")
    os.close(open_log(log, 5))
    assert log.read_text() == ""
    fresh = tmp_path / "b.log"
    os.close(open_log(fresh, 5))
    assert fresh.stat().st_mode & 0o777 == 0o600


def test_the_tail_of_a_log_is_its_last_lines_whatever_bytes_it_holds(tmp_path):
    log = tmp_path / "a.log"
    log.write_bytes(b"x" * 100_000 + b"\n\xff second\nlast")
    assert tail(log, 2) == "\ufffd second\nlast"
    assert tail(tmp_path / "none.log", 2) == ""


async def test_logs_are_read_and_trimmed_off_the_loop(tmp_path):
    spec = ProcessSpec("a", "a", {}, tmp_path / "a.log", (), "unix:/x")
    (tmp_path / "a.log").write_text("one\ntwo")
    logs = LogFiles(limit_bytes=3)
    assert await logs.read(spec, 1) == "two"
    await logs.trim(spec)
    assert (tmp_path / "a.log.1").read_text() == "one\ntwo"


def test_a_lock_has_one_holder_and_is_free_afterwards(tmp_path):
    path = tmp_path / "lock"
    assert data_lock.holder(path) is None
    with data_lock.holding(path):
        assert data_lock.holder(path) == os.getpid()
        with pytest.raises(PreconditionFailed, match=f"pid {os.getpid()}"), data_lock.holding(path):
            pass
    assert data_lock.holder(path) is None


def test_a_lock_is_not_inherited_by_children(tmp_path):
    with data_lock.holding(tmp_path / "lock"):
        child = subprocess.Popen(["sleep", "30"], close_fds=False)
    try:
        assert data_lock.holder(tmp_path / "lock") is None
    finally:
        child.kill()
        child.wait()


def test_a_taken_port_is_refused_and_a_free_one_is_not():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(PreconditionFailed) as refused:
            tcp_ports.require_free({port: "tools"})
    assert (refused.value.reason, refused.value.metadata["port"]) == ("PORT_TAKEN", str(port))
    tcp_ports.require_free({port: "tools"})


def test_free_ports_are_different_and_below_those_of_outgoing_connections():
    found = tcp_ports.find_free(14)
    assert len(set(found)) == 14
    assert all(20_000 <= port < 32_000 for port in found)
    tcp_ports.require_free(dict.fromkeys(found, "test"))


def test_a_data_directory_that_was_open_is_closed(tmp_path):
    layout = DataLayout(tmp_path / "d")
    layout.root.mkdir(mode=0o755)
    layout.secrets.mkdir(mode=0o755)
    layout.mesh_key.write_text("k" * 64)
    layout.mesh_key.chmod(0o644)
    data_directory.prepare(layout)
    assert [path.stat().st_mode & 0o777 for path in (layout.root, layout.secrets, layout.mesh_key)] == [
        0o700,
        0o700,
        0o600,
    ]
    assert layout.mesh_key.read_text() == "k" * 64


def test_the_socket_folder_of_a_killed_supervisor_is_removed_and_nothing_else_is(tmp_path):
    layout = DataLayout(tmp_path)
    layout.run.mkdir()
    stale = Path(tempfile.mkdtemp(prefix="nexus-"))
    other = tmp_path / "nexus-precious"
    other.mkdir()
    for name in (stale, other, tmp_path / "missing"):
        with data_directory.socket_directory(layout, str(name)):
            pass
    assert not stale.exists()
    assert other.exists()


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("providers: {a: {api_key_env: A_KEY}, b: {type: x}}", {"A_KEY"}),
        ("providers: [{api_key_env: A_KEY}, {deep: {api_key_env: B_KEY}}]", {"A_KEY", "B_KEY"}),
        ("providers: {a: {api_key_envs: [A, B]}, b: {deployments: [{api_key_envs: [C]}]}}", {"A", "B", "C"}),
        ("providers: {a: {api_key_env: 5}, b: {api_key_envs: [5]}}", set()),
        ("providers: [", set()),
        ("", set()),
        ("\x00", set()),
    ],
)
def test_the_names_of_provider_keys_are_read_wherever_they_stand(tmp_path, text, names):
    file = tmp_path / "providers.yaml"
    file.write_text(text)
    assert provider_key_names(file) == names


def test_a_providers_file_that_is_not_there_names_no_keys(tmp_path):
    assert provider_key_names(tmp_path / "none.yaml") == frozenset()


@pytest.mark.parametrize("text", [None, "", "{", "[]", '{"version": 1}'])
def test_a_state_file_that_is_none_reads_as_none(tmp_path, text):
    file = tmp_path / "mesh.json"
    if text is not None:
        file.write_text(text)
    assert read_state(file) is None


@pytest.mark.parametrize(
    ("reply", "health"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", Health.SERVING),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", Health.NOT_SERVING),
        (b"garbage\r\n", Health.NOT_SERVING),
        (b"", Health.SILENT),
        (None, Health.SILENT),
    ],
)
async def test_the_health_of_an_http_server(reply, health):
    gone = asyncio.Event()

    async def answer(reader, writer):
        await reader.readline()
        if reply is None:
            await gone.wait()
        else:
            writer.write(reply)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server, NetworkHealthProbe() as probe:
        port = server.sockets[0].getsockname()[1]
        spec = ProcessSpec("m", "m", {}, Path("/m.log"), (HttpProbe("127.0.0.1", port),), "")
        assert await probe.check(spec, 0.2) is health
        gone.set()


async def test_nobody_there_is_silence(tmp_path):
    socket_path = tmp_path / "none.sock"
    (port,) = tcp_ports.find_free(1)
    async with NetworkHealthProbe() as probe:
        for probes, sockets in (
            ((HttpProbe("127.0.0.1", port),), ()),
            ((GrpcProbe(f"unix:{socket_path}"),), ()),
            ((GrpcProbe(f"unix:{socket_path}"),), (socket_path,)),
        ):
            spec = ProcessSpec("m", "m", {}, Path("/m.log"), probes, "", sockets=sockets)
            assert await probe.check(spec, 0.2) is Health.SILENT


def test_a_process_whose_supervisor_is_gone_already_does_not_begin():
    done = subprocess.run(
        [sys.executable, "-m", "mesh.supervisor.launch", "1", "this"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.strip() == "the supervisor is gone"


def test_a_data_directory_of_another_user_is_refused(tmp_path, monkeypatch):
    layout = DataLayout(tmp_path / "d")
    layout.root.mkdir(mode=0o777)
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(PreconditionFailed, match=r"DATA_DIR_UNUSABLE.*another user"):
        data_directory.prepare(layout)
    assert not layout.mesh_key.exists()


def test_a_key_that_another_user_put_there_is_refused(tmp_path, monkeypatch):
    layout = DataLayout(tmp_path / "d")
    layout.secrets.mkdir(parents=True)
    layout.mesh_key.write_text("k" * 64)
    real = Path.stat

    def planted(path, **kwargs):
        found = real(path, **kwargs)
        return os.stat_result((*found[:4], found.st_uid + 1, *found[5:])) if path == layout.mesh_key else found

    monkeypatch.setattr(Path, "stat", planted)
    with pytest.raises(PreconditionFailed, match="DATA_DIR_UNUSABLE"):
        data_directory.prepare(layout)
