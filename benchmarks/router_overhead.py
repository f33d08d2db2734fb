"""CPU of a ChatCompletion in the router, everything on, beside bare servers in the same run.

Everything on: key and permission, validation, features, decision with its record on disk, budget and rate limits,
ledger rows on disk, breakers, metrics. The provider is the scripted one, in a process of its own that is not counted.
"""

from __future__ import annotations

import asyncio
import itertools
import subprocess
import sys
from collections.abc import AsyncGenerator, Generator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import grpc
import psutil

from benchmarks.bare_server import METHOD
from protos.gen.nexus.router.v1 import router_pb2 as pb
from shared.testing.running_mesh import RunningMesh

PROVIDER, TIER = "scripted/", "fast"
_IN_FLIGHT = 16
_ROUNDS = 5
_CALLS = 160
_ECHO_CALLS = 1600
_QUESTION = "Good morning"


@dataclass(frozen=True, slots=True)
class Target:
    """A server under load: its process, how to call it, and how many calls make a round."""

    process: psutil.Process
    call: Any
    metadata: tuple[tuple[str, str], ...]
    texts: Iterator[str]
    calls: int


async def cpu_per_call_us(mesh: RunningMesh, provider_url: str) -> dict[str, float]:
    """Return the CPU in microseconds that each server uses for a call, measured in turns over several rounds."""
    with _bare() as echo, _bare(provider_url) as forwarder:
        async with (
            _open(mesh.address("router")) as router,
            _open(echo.address) as echoed,
            _open(forwarder.address) as forwarded,
        ):
            key = (("authorization", f"Bearer {mesh.owner_key()}"),)
            process = psutil.Process(mesh.pids()["router"])
            same, fresh = itertools.repeat(_QUESTION), (f"{_QUESTION}, number {n}" for n in itertools.count())
            targets = {
                "echo": Target(echo.process, echoed, (), same, _ECHO_CALLS),
                "forwarder": Target(forwarder.process, forwarded, (), same, _CALLS),
                "router": Target(process, router, key, same, _CALLS),
                "router, each text new": Target(process, router, key, fresh, _CALLS),
            }
            return await _measured(targets)


async def _measured(targets: dict[str, Target]) -> dict[str, float]:
    spent = dict.fromkeys(targets, 0.0)
    for turn in range(_ROUNDS + 1):
        for name, target in targets.items():
            before = _cpu_s(target.process)
            await _load(target)
            if turn:
                spent[name] += _cpu_s(target.process) - before
    return {name: spent[name] / _ROUNDS / target.calls * 1e6 for name, target in targets.items()}


async def _load(target: Target) -> None:
    texts = iter(list(itertools.islice(target.texts, target.calls)))

    async def work() -> None:
        for text in texts:
            user = pb.ChatMessage(role=pb.ROLE_USER, content=[pb.ContentPart(text=text)])
            request = pb.ChatCompletionRequest(model=PROVIDER, messages=[user], routing=pb.RoutingOptions(tier=TIER))
            await target.call(request, metadata=target.metadata, timeout=30)

    async with asyncio.TaskGroup() as group:
        for _ in range(_IN_FLIGHT):
            group.create_task(work())


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


@dataclass(frozen=True, slots=True)
class _Bare:
    process: psutil.Process
    address: str


@contextmanager
def _bare(*arguments: str) -> Generator[_Bare]:
    command = [sys.executable, "-m", "benchmarks.bare_server", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            if process.stdout is None:
                raise RuntimeError("The bare server has no output.")
            yield _Bare(psutil.Process(process.pid), f"127.0.0.1:{int(process.stdout.readline())}")
        finally:
            process.terminate()


@asynccontextmanager
async def _open(address: str) -> AsyncGenerator[Any]:
    async with grpc.aio.insecure_channel(address) as channel:
        yield channel.unary_unary(
            METHOD,
            request_serializer=pb.ChatCompletionRequest.SerializeToString,
            response_deserializer=pb.ChatCompletionResponse.FromString,
        )
