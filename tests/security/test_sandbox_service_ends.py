"""What ends with the service, however that ends; each test has a service of its own."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import uuid
from pathlib import Path

import psutil
import pytest
from sandbox_rig import MIB, collected, processes_with, real_sandbox, refusal, until

from sandbox_service.adapters.isolation_backend_namespaces import NamespaceBackend
from sandbox_service.adapters.namespaces import sandbox as namespace_sandbox
from sandbox_service.domain.image import Image
from sandbox_service.domain.limits import RunLimits
from sandbox_service.domain.outcome import Status
from sandbox_service.domain.program import Language
from sandbox_service.domain.run_event import Finished, Started
from sandbox_service.main import namespace_options
from sandbox_service.ports.isolation_backend import SandboxSpec
from sandbox_service.settings import Settings
from sandbox_service.use_cases import execute_program
from shared.clock import SystemClock
from shared.ids import new_id

ROOMY = RunLimits(0.1, 256 * MIB, 16, 8 * MIB)

SLEEPER = (
    "import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)', '{marker}'], "
    "start_new_session=True, stdout=subprocess.DEVNULL)\n"
)


@pytest.fixture
def marker() -> str:
    return f"marker-{uuid.uuid4().hex}"


async def test_stopping_the_service_kills_what_runs(marker: str) -> None:
    async with real_sandbox() as sandbox:
        call = sandbox.start(SLEEPER.format(marker=marker) + "while True: pass", wall_ms=30_000)
        await until(lambda: bool(processes_with(marker)))
    assert processes_with(marker) == []
    assert not any(f"nexus-sandbox-{os.getpid()}" in folder for folder, *_ in os.walk("/sys/fs/cgroup"))
    assert psutil.Process().children() == []
    call.cancel()


SERVER = """
import asyncio, sys
sys.path[:0] = {paths!r}
from sandbox_rig import real_sandbox
async def main():
    async with real_sandbox() as sandbox:
        call = sandbox.start({code!r}, wall_ms=60_000)
        async for event in call:
            print(event, flush=True)
asyncio.run(main())
"""


async def test_a_killed_service_takes_its_runs_along(marker: str) -> None:
    paths = [str(path) for path in Path(__file__).parents[:3]]
    code = SLEEPER.format(marker=marker) + "print('up')\nwhile True: pass"
    service = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SERVER.format(paths=paths, code=code), stdout=asyncio.subprocess.PIPE
    )
    try:
        await until(lambda: len(processes_with(marker)) >= 2, 15)  # the service itself has it in its arguments
        started = [p.pid for p in psutil.Process(service.pid).children(recursive=True)]
        assert started
    finally:
        service.send_signal(signal.SIGKILL)
        await service.communicate()
    await until(lambda: not processes_with(marker))
    await until(lambda: not any(psutil.pid_exists(pid) for pid in started))
    left = [p for p, *_ in os.walk("/sys/fs/cgroup") if f"nexus-sandbox-{service.pid}" in p]
    async with real_sandbox() as sandbox:  # the next service sweeps the empty groups of the dead one
        await sandbox.run("print(1)")
        assert not any(Path(p).exists() for p in left)


async def test_a_reader_that_never_comes_loses_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execute_program, "DELIVERY_S", 0.3)
    async with real_sandbox(max_concurrent_runs=1) as sandbox:
        big = "open('big', 'wb').write(bytes(30_000_000)); print('x' * 60_000)"
        call = sandbox.start(big, wall_ms=500, output_paths=("big",))
        assert (await call.read()).HasField("started")
        assert await asyncio.wait_for(sandbox.says("print('free')"), 5) == "free"
        *_, last = [event async for event in call]
        assert [file.path for file in last.finished.skipped_files] in ([], ["big"])


async def test_a_kernel_that_has_obeyed_outlives_its_slow_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(namespace_sandbox, "_GRACE_S", 0.4)
    backend = NamespaceBackend(namespace_options(Settings()), SystemClock(), new_id)
    sandbox = await backend.create(SandboxSpec("org-a", Image("base", "test"), ROOMY), lambda: None)
    try:
        await sandbox.open_kernel(Language.PYTHON)
        events = sandbox.run_cell("cell", "print('x' * 4_000_000)", ROOMY)
        assert isinstance(await anext(events), Started)
        await asyncio.sleep(0.8)  # past the time in which a kernel that does not obey is killed
        *_, end = [event async for event in events]
        assert isinstance(end, Finished)
        assert (end.status, end.output_truncated, sandbox.is_alive) == (Status.TIMEOUT, True, True)
    finally:
        await sandbox.destroy()
        await backend.close()


DOOR = """
import json, os, socket, sys, urllib.error, urllib.request
for name in ('no_proxy', 'NO_PROXY'): os.environ.pop(name, None)
def fetch(url):
    try: return urllib.request.urlopen(url, timeout=5).read().decode()
    except urllib.error.HTTPError as e: return e.code
    except OSError as e: return type(e).__name__
def reach(address, kind=1):
    try:
        with socket.socket(socket.AF_INET, kind) as s: s.settimeout(2); s.connect(address); return 'REACHED'
    except OSError as e: return type(e).__name__
port = int(sys.stdin.read())
told = [fetch(f'http://127.0.0.1:{port}/'), fetch(f'http://127.0.0.1:{port + 1}/'), fetch('http://169.254.169.254/')]
told += [fetch('http://example.org/'), *(reach(a) for a in (('127.0.0.1', port), ('169.254.169.254', 80)))]
told += [reach(('10.0.0.1', 80)), reach(('8.8.8.8', 53)), fetch('file:///etc/shadow'), 'http_proxy' in os.environ]
try: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1); told.append('RAW')
except OSError: told.append('no')
try: socket.getaddrinfo('example.com', 80); told.append('NAME')
except OSError: told.append('no')
print(json.dumps(told))
"""


async def test_the_way_out_is_that_of_its_program_alone() -> None:
    async def hello(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(hello, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, real_sandbox(egress_allow=[f"127.0.0.1:{port}", "example.com:443"]) as sandbox:
        granted = sandbox.start(DOOR, str(port).encode(), egress=(f"127.0.0.1:{port}",))
        with_way, without = await asyncio.gather(collected(granted), sandbox.run(DOOR, str(port).encode()))
        fetched, other, metadata, named, *direct = json.loads(with_way.text)
        assert (fetched, other, metadata, named) == ("hello", 403, 403, 403)
        assert "REACHED" not in direct
        assert direct[-3:] == [True, "no", "no"]
        assert not set(json.loads(without.text)) & {"hello", "REACHED", "RAW", "NAME", 200, 403, True}
        assert await refusal(sandbox.start("1", egress=("example.org:443",)).read()) == "EGRESS_REFUSED"
        assert await refusal(sandbox.start("1", egress=("169.254.169.254:80",)).read()) == "EGRESS_REFUSED"
