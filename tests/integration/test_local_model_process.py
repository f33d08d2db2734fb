"""The local model process with the weights that ship, called through the router."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import orjson
import psutil
import pytest
from router_service import Stub, chat, router, streamed, text_of, unary, unused_port

from mesh.weights.settings import WeightsSettings
from protos.gen.nexus.router.v1 import router_pb2 as pb
from shared.client import translated_errors
from shared.errors import InvalidInput, PreconditionFailed

ROOT = Path(__file__).parents[2]
WEIGHTS = WeightsSettings().dir
KEY = "local-key-0123456789-abcdef"
pytestmark = pytest.mark.skipif(
    not (WEIGHTS / "embed.gguf").is_file(), reason="the weights are missing: run `python -m mesh.weights`"
)
SCHEMA = """{"type": "object", "properties": {"answer": {"enum": ["yes", "no"]}, "sure": {"type": "boolean"}},
             "required": ["answer", "sure"], "additionalProperties": false}"""


@dataclass
class LocalModel:
    process: asyncio.subprocess.Process
    chat_port: int
    embed_port: int
    key_file: Path

    def router_settings(self) -> dict:
        return {
            "local_chat_url": f"http://127.0.0.1:{self.chat_port}",
            "local_embed_url": f"http://127.0.0.1:{self.embed_port}",
            "local_key_file": self.key_file,
            "data_dir": self.key_file.parent / "router",
            "first_token_timeout_s": 30,
            "idle_timeout_s": 30,
            "total_timeout_s": 60,
            "embed_timeout_s": 30,
        }


def environment(folder: Path, **changes: str) -> dict[str, str]:
    key_file = folder / "local.key"
    if not key_file.exists():
        key_file.touch(mode=0o600)
        key_file.write_text(KEY + "\n")
    own = {
        "CHAT_PORT": str(unused_port()),
        "EMBED_PORT": str(unused_port()),
        "KEY_FILE": str(key_file),
        "WEIGHTS_DIR": str(WEIGHTS),
        **changes,
    }
    return {"PATH": os.environ["PATH"], **{f"NEXUS_LOCAL_MODEL_{name}": value for name, value in own.items()}}


@asynccontextmanager
async def local_model(folder: Path) -> AsyncGenerator[LocalModel, None]:
    env = environment(folder)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "mesh.local_model"), cwd=ROOT, env=env, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(30):
            line = await process.stderr.readline()
        assert b"serving" in line, line
        ports = [int(env[f"NEXUS_LOCAL_MODEL_{name}_PORT"]) for name in ("CHAT", "EMBED")]
        yield LocalModel(process, *ports, folder / "local.key")
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 10) == 0


@asynccontextmanager
async def both(folder: Path) -> AsyncGenerator[tuple[Stub, LocalModel], None]:
    async with (
        local_model(folder) as local,
        router(ROOT / "config" / "providers.yaml", **local.router_settings()) as stub,
    ):
        yield stub, local


async def until_idle(pid: int) -> None:
    """Waits until the process uses no CPU any more: the router embeds its examples at its start, for some seconds."""
    process = psutil.Process(pid)
    async with asyncio.timeout(20):
        while True:
            before = sum(process.cpu_times()[:2])
            await asyncio.sleep(0.2)
            if sum(process.cpu_times()[:2]) - before < 0.05:
                return


async def test_the_shipped_configuration_answers_embeds_and_stops_when_told(tmp_path: Path) -> None:
    async with both(tmp_path) as (stub, local):
        whole = await unary(stub, chat(text="Say hello.", max_output_tokens=16))
        assert (whole.model, whole.demonstration, whole.cost_micro_usd) == ("local/chat", True, 0)
        assert text_of(whole)
        assert 0 < whole.usage.output_tokens <= 16

        flowing = await streamed(stub, chat(text="Tell me about the sea.", max_output_tokens=8))
        assert flowing.finish_reason == pb.FINISH_REASON_LENGTH

        for _ in range(3):
            bound = await unary(stub, chat(text="Is water wet?", response_json_schema=SCHEMA, max_output_tokens=64))
            assert orjson.loads(text_of(bound)).keys() == {"answer", "sure"}

        texts = ["A man is eating.", "Somebody has a meal.", "The stock market fell."]
        vectors = [list(e.values) for e in (await stub.Embed(pb.EmbedRequest(inputs=texts), timeout=30)).embeddings]
        assert [len(vector) for vector in vectors] == [384] * 3
        near, far = (sum(a * b for a, b in zip(vectors[0], other, strict=True)) for other in vectors[1:])
        assert near > far + 0.2

        with pytest.raises(InvalidInput) as caught:
            await unary(stub, chat(text="word " * 6000))
        assert caught.value.reason == "CONTEXT_TOO_LONG"
        with pytest.raises(InvalidInput) as caught:
            async with translated_errors("router"):
                await stub.Embed(pb.EmbedRequest(inputs=["word " * 2000]), timeout=30)
        assert caught.value.reason == "CONTEXT_TOO_LONG"

        answers = await asyncio.gather(*(unary(stub, chat(text=f"Say {i}.", max_output_tokens=8)) for i in range(6)))
        assert all(text_of(answer) for answer in answers)
        assert psutil.Process(local.process.pid).memory_info().rss < 400 * 1024 * 1024


async def test_a_caller_that_leaves_stops_the_work(tmp_path: Path) -> None:
    async with both(tmp_path) as (stub, local):
        request = chat(text="Write a very long story.", max_output_tokens=3500, temperature=1.5)
        call = stub.StreamChatCompletion(pb.StreamChatCompletionRequest(request=request), timeout=60)
        for _ in range(4):
            await call.read()
        call.cancel()
        await until_idle(local.process.pid)


async def test_without_the_key_nothing_is_answered_and_the_key_shows_nowhere(tmp_path: Path) -> None:
    async with local_model(tmp_path) as local, aiohttp.ClientSession() as http:
        for port, path in ((local.chat_port, "chat/completions"), (local.embed_port, "embeddings")):
            async with http.get(f"http://127.0.0.1:{port}/health") as response:
                assert response.status == 200
            for headers in ({}, {"Authorization": "Bearer wrong"}):
                async with http.post(f"http://127.0.0.1:{port}/v1/{path}", json={}, headers=headers) as response:
                    assert response.status == 401
        process = psutil.Process(local.process.pid)
        assert KEY not in " ".join(process.cmdline()) + str(process.environ())
        # It listens on loopback alone.
        listening = {c.laddr.ip for c in process.net_connections() if c.status == psutil.CONN_LISTEN}
        assert listening == {"127.0.0.1"}
        (tmp_path / "other.key").write_text("another-key-0123456789")
        settings = local.router_settings() | {"local_key_file": tmp_path / "other.key"}
        async with router(ROOT / "config" / "providers.yaml", **settings) as stub:
            with pytest.raises(PreconditionFailed) as caught:
                await unary(stub, chat("local/chat"))
        assert caught.value.reason == "PROVIDER_REFUSED_KEY"


def refused(folder: Path, **changes: str) -> str:
    """What the process says when it cannot start: one line."""
    done = subprocess.run(
        [sys.executable, "-m", "mesh.local_model"],
        cwd=ROOT,
        env=environment(folder, **changes),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 78, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("local_model: ")]
    assert len(lines) == 1
    assert "Traceback" not in done.stderr
    return lines[0]


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "are missing"), (b"hello", "is not a GGUF file"), (b"GGUF" + b"\x03" * 5000, "damaged or of a kind")],
)
def test_wrong_weights_are_told_with_their_remedy(tmp_path: Path, content: bytes | None, said: str) -> None:
    weights = tmp_path / "other.gguf"
    if content is not None:
        weights.write_bytes(content)
    line = refused(tmp_path, CHAT_WEIGHTS=str(weights))
    assert said in line
    assert "python -m mesh.weights" in line


def test_a_missing_weights_directory_is_told(tmp_path: Path) -> None:
    assert "python -m mesh.weights" in refused(tmp_path, WEIGHTS_DIR=str(tmp_path / "none"))


def test_wrong_settings_are_told(tmp_path: Path) -> None:
    assert "chat_port" in refused(tmp_path, CHAT_PORT="many")
    assert "must differ" in refused(tmp_path, CHAT_PORT="5000", EMBED_PORT="5000")
    assert "host" in refused(tmp_path, HOST="0.0.0.0")  # noqa: S104 - refused is the point


async def test_a_taken_port_is_told(tmp_path: Path) -> None:
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        line = await asyncio.to_thread(refused, tmp_path, CHAT_PORT=str(port))
    assert f"Port {port}" in line
    assert "NEXUS_LOCAL_MODEL_CHAT_PORT" in line


@pytest.mark.parametrize(("key", "mode"), [(KEY, 0o644), ("short", 0o600), ("", 0o600), ("a\nb" * 20, 0o600)])
def test_a_key_file_that_protects_nothing_is_refused(tmp_path: Path, key: str, mode: int) -> None:
    file = tmp_path / "local.key"
    file.write_text(key)
    file.chmod(mode)
    line = refused(tmp_path)
    assert "key file" in line
    assert KEY not in line


def test_it_does_not_outlive_its_parent(tmp_path: Path) -> None:
    # A parent that starts it, says its id, and is then killed.
    program = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-m', 'mesh.local_model'], stderr=subprocess.PIPE)\n"
        "child.stderr.readline()\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, env=environment(tmp_path), stdout=subprocess.PIPE
    )
    try:
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
        until = time.monotonic() + 5
        while child.is_running() and child.status() != psutil.STATUS_ZOMBIE:
            assert time.monotonic() < until
            time.sleep(0.05)
    finally:
        parent.kill()
        parent.wait()
        parent.stdout.close()
