"""A whole mesh on a data directory of its own, started and stopped by the `nexus` command, for tests and benchmarks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from shared.client.channel import open_channel

_POLL_S = 0.05
SUPERVISOR = "supervisor"
"""Name of the supervisor's own process in `RunningMesh.pids`."""
_NO_OVERRIDES: Mapping[str, str] = MappingProxyType({})
_NEXUS = Path(sys.executable).with_name("nexus")
_KEPT = ("PATH", "HOME", "LANG", "TMPDIR", "NEXUS_WEIGHTS_DIR")


class MeshTroubleError(RuntimeError):
    """The mesh did not do what was asked of it; the message holds what it printed."""


@dataclass(frozen=True)
class RunningMesh:
    """A running mesh.

    Attributes:
        data: Its data directory.
        providers_file: The router's configuration; rewrite it to reload.
        environment: The environment of `nexus`.
        ready_s: Seconds from the start of `nexus up` until every process was healthy.
    """

    data: Path
    providers_file: Path
    environment: Mapping[str, str] = field(repr=False)
    ready_s: float = 0.0

    def cli(
        self, *arguments: str, timeout_s: float = 60.0, given: bytes = b"", **changed: str
    ) -> subprocess.CompletedProcess[str]:
        """Run `nexus` with the arguments on this mesh and return what it printed and its exit status.

        Args:
            *arguments: The command and its options.
            timeout_s: Longest time that it may take.
            given: What it reads on standard input.
            **changed: Environment variables that differ from the mesh's.
        """
        return _nexus({**self.environment, **changed}, *arguments, timeout_s=timeout_s, given=given)

    def cli_json(self, *arguments: str, timeout_s: float = 60.0) -> list[dict[str, Any]]:
        """Run `nexus ... --json` and return the JSON values that it printed. Raises MeshTroubleError."""
        done = self.cli(*arguments, "--json", timeout_s=timeout_s)
        if done.returncode != 0:
            raise MeshTroubleError(f"nexus {' '.join(arguments)}: {done.stdout}{done.stderr}")
        return list(_json_values(done.stdout))

    def state(self) -> dict[str, Any]:
        """Return the state file of the mesh."""
        return json.loads((self.data / "run" / "mesh.json").read_text())

    def process(self, name: str) -> dict[str, Any]:
        """Return what the state file says of one process. Raises StopIteration for an unknown one."""
        return next(entry for entry in self.state()["services"] if entry["name"] == name)

    def pids(self) -> dict[str, int]:
        """Return the process ids by name, those that are down left out, the supervisor's included."""
        state = self.state()
        services = {entry["name"]: entry["pid"] for entry in state["services"] if entry["pid"]}
        return {SUPERVISOR: state["supervisor_pid"], **services}

    def address(self, name: str) -> str:
        """Return the TCP address of a service, `127.0.0.1:port`."""
        return self.process(name)["tcp_address"]

    def owner_key(self) -> str:
        """Return the owner's API key."""
        return (self.data / "secrets" / "owner.key").read_text().strip()

    def channel(self, name: str, credential: str | None = None) -> Any:
        """Open an asynchronous gRPC channel to a service, as the owner unless another credential is given."""
        presented = self.owner_key() if credential is None else credential
        return open_channel(self.address(name), lambda _principal: presented or None)

    def wait_until_ready(self, timeout_s: float = 30.0) -> dict[str, Any]:
        """Return the state once every process is healthy. Raises MeshTroubleError."""
        return self.wait_for(lambda state: state["phase"] == "ready", timeout_s)

    def wait_for(self, wanted: Callable[[dict[str, Any]], bool], timeout_s: float) -> dict[str, Any]:
        """Return the state once it is as wanted. Raises MeshTroubleError with the last state seen."""
        deadline = time.monotonic() + timeout_s
        while not wanted(state := self.state()):
            if time.monotonic() > deadline:
                raise MeshTroubleError(f"The mesh is not as wanted after {timeout_s} s: {json.dumps(state)}")
            time.sleep(_POLL_S)
        return state


@contextmanager
def running_mesh(
    data: Path,
    providers_file: Path,
    inherited: Mapping[str, str],
    overrides: Mapping[str, str] = _NO_OVERRIDES,
    start_timeout_s: float = 120.0,
) -> Generator[RunningMesh]:
    """Start a mesh on free ports, and stop it afterwards whatever happened.

    Args:
        data: Its data directory; made when missing.
        providers_file: The router's configuration.
        inherited: The caller's environment; the mesh gets the few variables of it that any program needs.
        overrides: Settings of services, as environment variables.
        start_timeout_s: Longest time for `nexus up --detach` to say that it is ready.

    Raises:
        MeshTroubleError: The mesh did not start, or did not stop.
    """
    kept = {name: inherited[name] for name in _KEPT if name in inherited}
    own = {"NEXUS_DATA": str(data), "NEXUS_ROUTER_PROVIDERS_FILE": str(providers_file)}
    environment = {**kept, **overrides, **own}
    began = time.monotonic()
    try:
        up = _nexus(environment, "up", "--detach", "--port-base", "0", timeout_s=start_timeout_s)
        if up.returncode != 0:
            raise MeshTroubleError(f"nexus up: {up.stdout}{up.stderr}{_logs(data)}")
        mesh = RunningMesh(data, providers_file, environment)
        mesh.wait_until_ready(start_timeout_s)
        yield RunningMesh(data, providers_file, environment, time.monotonic() - began)
    finally:
        _stop(data, environment)


@contextmanager
def scripted_process(*arguments: str) -> Generator[str]:
    """Run the scripted provider as a process and give its base URL, `http://127.0.0.1:port/v1`."""
    command = [sys.executable, "-m", "shared.testing.scripted_provider", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        try:
            line = process.stdout.readline() if process.stdout else ""
            if not line:
                raise MeshTroubleError(f"The scripted provider ended with status {process.wait()}.")
            yield line.strip()
        finally:
            process.terminate()


def _nexus(
    environment: Mapping[str, str], *arguments: str, timeout_s: float, given: bytes = b""
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(  # noqa: S603  the program beside this interpreter, no shell
        [str(_NEXUS), *arguments], env=environment, input=given, capture_output=True, timeout=timeout_s, check=False
    )
    out, err = (stream.decode(errors="replace") for stream in (done.stdout, done.stderr))
    return subprocess.CompletedProcess(done.args, done.returncode, out, err)


def _stop(data: Path, environment: Mapping[str, str]) -> None:
    state_file = data / "run" / "mesh.json"
    if not state_file.exists():
        return
    supervisor_pid = int(json.loads(state_file.read_text())["supervisor_pid"])
    down = _nexus(environment, "down", timeout_s=60)
    if down.returncode != 0:
        # Its children die with it: nothing of this mesh may outlive the test.
        os.kill(supervisor_pid, signal.SIGKILL)
        raise MeshTroubleError(f"nexus down: {down.stdout}{down.stderr}")


def _json_values(text: str) -> Iterator[dict[str, Any]]:
    """Yield the JSON values of a text, one a line or one over many lines."""
    decoder = json.JSONDecoder()
    rest = text.lstrip()
    while rest:
        value, end = decoder.raw_decode(rest)
        yield value
        rest = rest[end:].lstrip()


def _logs(data: Path) -> str:
    """Return the last lines of each log, for the message of a failed start."""
    tails = (
        f"\n== {log.name}\n" + "\n".join(log.read_text(errors="replace").splitlines()[-8:])
        for log in sorted((data / "logs").glob("*.log"))
    )
    return "".join(tails)
