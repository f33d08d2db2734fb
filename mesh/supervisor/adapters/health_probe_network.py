"""Checks health over the network: grpc.health.v1 and plain HTTP."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import grpc
from grpc_health.v1 import health_pb2

from mesh.supervisor.domain.process_spec import GrpcProbe, HttpProbe, Probe, ProcessSpec
from mesh.supervisor.domain.process_status import Health

_OPTIONS = [
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 200),
    ("grpc.default_authority", "nexus"),
    ("grpc.use_local_subchannel_pool", 1),
]
_SILENT_CODES = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
_WORST_FIRST = (Health.SILENT, Health.NOT_SERVING, Health.SERVING)
_PRIVATE_SOCKET = 0o600
_CHECK_METHOD = "/grpc.health.v1.Health/Check"


class NetworkHealthProbe:
    """Keeps one channel per address; an asynchronous context manager that closes them."""

    def __init__(self) -> None:
        self._channels: dict[str, grpc.aio.Channel] = {}

    async def __aenter__(self) -> Self:
        """Return itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the channels."""
        for channel in self._channels.values():
            await channel.close()
        self._channels.clear()

    async def check(self, spec: ProcessSpec, timeout_s: float) -> Health:
        """Return the worst answer of the process's probes."""
        # A socket that is not there yet is not worth a connection attempt with its backoff.
        if not _sockets_exist(spec):
            return Health.SILENT
        found = [await self._probe(probe, timeout_s) for probe in spec.probes]
        health = min(found, key=_WORST_FIRST.index)
        if health is Health.SERVING:
            _make_private(spec)
        return health

    async def _probe(self, probe: Probe, timeout_s: float) -> Health:
        match probe:
            case GrpcProbe(address):
                return await self._check_grpc(address, timeout_s)
            case HttpProbe():
                return await _check_http(probe, timeout_s)

    async def _check_grpc(self, address: str, timeout_s: float) -> Health:
        channel = self._channels.get(address)
        if channel is None:
            channel = self._channels[address] = grpc.aio.insecure_channel(address, options=_OPTIONS)
        # Without the generated stub, which is not typed.
        check = channel.unary_unary(
            _CHECK_METHOD,
            request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
            response_deserializer=health_pb2.HealthCheckResponse.FromString,
        )
        try:
            reply = await check(health_pb2.HealthCheckRequest(), timeout=timeout_s, wait_for_ready=True)
        except grpc.aio.AioRpcError as error:
            return Health.SILENT if error.code() in _SILENT_CODES else Health.NOT_SERVING
        serving = reply.status == health_pb2.HealthCheckResponse.SERVING
        return Health.SERVING if serving else Health.NOT_SERVING


async def _check_http(probe: HttpProbe, timeout_s: float) -> Health:
    """Return SERVING for a 200 answer. Written by hand: an HTTP library costs the supervisor 20 MB."""
    try:
        async with asyncio.timeout(timeout_s):
            reader, writer = await asyncio.open_connection(probe.host, probe.port)
            try:
                host = f"{probe.host}:{probe.port}"
                writer.write(f"GET {probe.path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
                await writer.drain()
                status_line = await reader.readline()
            finally:
                writer.close()
                with suppress(OSError):
                    await writer.wait_closed()
    except (OSError, TimeoutError, ValueError):
        return Health.SILENT
    if not status_line:
        return Health.SILENT
    return Health.SERVING if status_line.split()[1:2] == [b"200"] else Health.NOT_SERVING


def _sockets_exist(spec: ProcessSpec) -> bool:
    return all(Path(socket).exists() for socket in spec.sockets)


def _make_private(spec: ProcessSpec) -> None:
    for socket in spec.sockets:
        with suppress(OSError):
            Path(socket).chmod(_PRIVATE_SOCKET)
