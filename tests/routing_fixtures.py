"""A pytest plugin: a mesh whose router chooses between two scripted providers and the local model.

The providers are processes of their own that can die and come back at the same address. They differ in what routing
looks at: price, quality, clearance and region. The mesh is another one than that of mesh_fixtures.py, since these tests
write rules and limits beside providers.yaml, kill providers and the router, and edit what is stored.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from protos.gen.nexus.router.v1 import router_pb2 as pb
from protos.gen.nexus.router.v1 import router_pb2_grpc
from shared.testing.running_mesh import RunningMesh, running_mesh

SMALL, LARGE, LOCAL = "thrifty/small", "strong/large", "local/chat"
IN_FORCE_S = 1.0
"""Within this time an edit of a file must be in force."""
PROVIDERS = """\
version: 1
providers:
  local:
    type: local
    models:
      - {name: chat, chat: true, tool_calling: false, context_length: 4096, max_output_tokens: 256, demonstration: true}
      - {name: embed, embeddings: true, dimensions: 384, context_length: 512}
  thrifty:
    type: openai_compatible
    base_url: SMALL_URL
    models:
      - name: small
        capabilities: {operations: [chat], tool_calling: true, context_length: 32000, max_output_tokens: 500}
        privacy: {clearance: internal, regions: [us]}
        quality: {default: 0.6}
        prices: [{from: 2025-01-01, input: 1, output: 2}]
  strong:
    type: openai_compatible
    base_url: LARGE_URL
    models:
      - name: large
        capabilities: {operations: [chat], tool_calling: true, context_length: 200000, max_output_tokens: 2000}
        privacy: {clearance: confidential, regions: [eu], retention_days: 0}
        quality: {default: 0.95}
        prices: [{from: 2025-01-01, input: 50, output: 100}]
chains:
  embed: local/embed
"""
LIMITS = """\
version: 1
budgets:
  - {scope: organisation, period: month, usd: 5000}
  - {scope: user, period: day, usd: 1000}
"""
OVERRIDES = {
    # Breakers that come back while a test waits.
    "NEXUS_ROUTER_BREAKER_OPEN_S": "3",
    "NEXUS_ROUTER_BREAKER_OPEN_CAP_S": "3",
    "NEXUS_ROUTER_PROBE_S": "0.5",
}
REPLY_TOKENS = (100, 50)
REPLY = {
    "type": "reply",
    "text": "All is well.",
    "usage": {"input_tokens": REPLY_TOKENS[0], "output_tokens": REPLY_TOKENS[1]},
}
SLOW_REPLY = REPLY | {"text": "tick " * 20, "chunk_size": 5, "chunk_delay_s": 0.02}
SCRIPT = {"rules": [{"user_contains": "take your time", "then": SLOW_REPLY}, {"then": REPLY}]}


class MortalProvider:
    """A scripted provider that can die and come back at the same address.

    Attributes:
        url: Base URL, with `/v1`.
    """

    def __init__(self, script: Path) -> None:
        self._script = script
        self._port = _free_port()
        self._process: subprocess.Popen[str] | None = None
        self.url = f"http://127.0.0.1:{self._port}/v1"

    def start(self) -> None:
        """Returns once it serves. Idempotent."""
        if self._process is not None:
            return
        command = [sys.executable, "-m", "shared.testing.scripted_provider", "--script", str(self._script)]
        self._process = subprocess.Popen([*command, "--port", str(self._port)], stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        assert self._process.stdout.readline(), "the scripted provider did not start"

    def die(self) -> None:
        """As by a power cut: every connection is gone at once. Idempotent."""
        process, self._process = self._process, None
        if process is not None:
            with process:
                process.send_signal(signal.SIGKILL)


@dataclass(frozen=True)
class RoutedMesh:
    """The mesh, its two providers, and the files that its router reads."""

    mesh: RunningMesh
    small: MortalProvider
    large: MortalProvider

    @property
    def folder(self) -> Path:
        """Where the configuration is."""
        return self.mesh.providers_file.parent

    @property
    def database(self) -> Path:
        """The router's."""
        return self.mesh.data / "db" / "router.sqlite"

    @contextmanager
    def edited(self, name: str, change: Callable[[str], str]) -> Iterator[None]:
        """The configuration file `name` changed for the length of the block; it may be one that is not there yet."""
        path = self.folder / name
        before = path.read_text() if path.exists() else None
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(change(before or ""))
        try:
            yield
        finally:
            if before is None:
                path.unlink()
            else:
                path.write_text(before)

    def explain(self, *arguments: str) -> dict:
        """The decision of `nexus route explain` over a bare chat, without tools unless they are asked for, as JSON."""
        bare = () if "--tools" in arguments else ("--no-tools",)
        done = self.mesh.cli("route", "explain", *arguments, *bare, "--json")
        decision = json.loads(done.stdout)["decision"]
        assert done.returncode == (0 if decision["choice"] else 1), done.stderr
        return decision


def plain(text: str) -> str:
    """What a table says, white space aside."""
    return re.sub(r"\s+", " ", text)


def eventually(holds: Callable[[], object], within_s: float = 10.0) -> None:
    """Waits until `holds`, at most so long."""
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, f"not so within {within_s} s"
        time.sleep(0.05)


async def eventually_async(holds: Callable[[], Awaitable[object]], within_s: float = 10.0) -> None:
    """Waits until `holds`, at most so long."""
    async with asyncio.timeout(within_s):
        while not await holds():
            await asyncio.sleep(0.05)


def chat(text: str, model: str = "", *, tools: bool = False, **routing: object) -> pb.ChatCompletionRequest:
    """A request with one message, which may need a model that calls tools."""
    return pb.ChatCompletionRequest(
        model=model,
        messages=[pb.ChatMessage(role=pb.ROLE_USER, content=[pb.ContentPart(text=text)])],
        tools=[pb.ToolDefinition(name="any_tool")] if tools else [],
        routing=pb.RoutingOptions(**routing),
    )


@asynccontextmanager
async def router_stub(mesh: RunningMesh) -> AsyncIterator[router_pb2_grpc.RouterServiceStub]:
    """Calls the router of the mesh, as its owner."""
    channel = mesh.channel("router")
    try:
        yield router_pb2_grpc.RouterServiceStub(channel)
    finally:
        await channel.close()


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


@pytest.fixture(scope="session")
def _routed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RoutedMesh]:
    folder = tmp_path_factory.mktemp("routed")
    script = folder / "script.json"
    script.write_text(json.dumps(SCRIPT))
    small, large = MortalProvider(script), MortalProvider(script)
    with ExitStack() as stack:
        for provider in (small, large):
            provider.start()
            stack.callback(provider.die)
        config = folder / "config"
        config.mkdir()
        providers = PROVIDERS.replace("SMALL_URL", small.url).replace("LARGE_URL", large.url)
        (config / "providers.yaml").write_text(providers)
        (config / "limits.yaml").write_text(LIMITS)
        mesh = stack.enter_context(running_mesh(folder / "data", config / "providers.yaml", os.environ, OVERRIDES))
        yield RoutedMesh(mesh, small, large)


@pytest.fixture
def routed(_routed: RoutedMesh) -> RoutedMesh:
    """The mesh for the session, with both providers alive."""
    for provider in (_routed.small, _routed.large):
        provider.start()
    _routed.mesh.wait_until_ready()
    return _routed
