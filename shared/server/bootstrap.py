"""Runs one service: its process, its server, health, reflection, metrics, and an orderly end."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeVar

import grpc
import uvloop
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from pydantic import ValidationError

from shared.auth.authenticator import Authenticator, SettingsKeyDirectory
from shared.auth.mesh_token import MeshTokens
from shared.auth.permissions import permissions_of
from shared.auth.principal import Principal
from shared.client.channel import MAX_MESSAGE_BYTES, open_channel
from shared.clock import SystemClock
from shared.errors import NexusError, PreconditionFailed
from shared.ids import new_id
from shared.server.garbage import freeze_what_was_started
from shared.server.guard import Guard
from shared.server.service import Dependencies, Service
from shared.settings import ServiceSettings
from shared.telemetry.logging import configure_logging, get_logger
from shared.telemetry.metrics import TASKS
from shared.telemetry.metrics_server import start_metrics_server
from shared.telemetry.tracing import Sampling, configure_tracing

S = TypeVar("S", bound=ServiceSettings)
Build = Callable[[S, Dependencies], Service]
_log = get_logger(__name__)
_OPTIONS = [
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    # Two processes must never share a port without knowing it.
    ("grpc.so_reuseport", 0),
    ("grpc.http2.min_ping_interval_without_data_ms", 30_000),
]


def run(build: Build[S], settings_type: type[S]) -> None:
    """Serve the service that `build` wires until SIGTERM or SIGINT, then leave the process.

    Exit codes: 0 after an orderly end, 1 when the service cannot start or its background work fails, 2 when its
    settings are wrong.
    """
    # What the service writes is for its own user alone.
    os.umask(0o077)
    try:
        settings = settings_type()
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        sys.exit("The settings are wrong: " + "; ".join(lines))
    name = settings_type.__module__.partition(".")[0]
    configure_logging(name, settings.log_level)
    stop_tracing = configure_tracing(name, settings.otlp_endpoint)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(build, settings))
    except* NexusError as group:
        for error in group.exceptions:
            _log.error("service_failed", error=str(error))
        sys.exit(1)
    finally:
        stop_tracing()


async def _serve(build: Build[S], settings: S) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    # Counted when somebody reads the metrics.
    TASKS.set_function(lambda: len(asyncio.all_tasks(loop)))
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stopping.set)
    clock = SystemClock()
    tokens = MeshTokens.from_file(settings.mesh_key_file, clock)
    async with AsyncExitStack() as stack:
        issuer = type(settings).__module__.partition(".")[0]

        def credential(principal: Principal | None) -> str | None:
            return tokens.mint(principal, issuer) if principal else None

        def channel(address: str) -> grpc.aio.Channel:
            opened = open_channel(address, credential)
            stack.push_async_callback(opened.close)
            return opened

        service = build(settings, Dependencies(clock, new_id, channel))
        keys = service.keys or SettingsKeyDirectory(channel(settings.settings_address), service.name, clock)
        await service.start()
        stack.push_async_callback(service.stop)
        freeze_what_was_started()
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(work()) for work in service.background]
            await serve_until(service, Authenticator(tokens, keys), settings, stopping)
            for task in tasks:
                task.cancel()
    _log.info("service_stopped")


async def serve_until(
    service: Service, authenticator: Authenticator, settings: ServiceSettings, stopping: asyncio.Event
) -> None:
    """Serve `service` on the addresses of `settings` until `stopping` is set, then halt its work and drain the calls.

    Raises:
        PreconditionFailed: when an address cannot be bound.
    """
    families = [r.descriptor for r in service.registrations]
    sampling = Sampling(settings.otlp_endpoint, settings.trace_ratio)
    guard = Guard(service.name, permissions_of(families), authenticator, sampling)
    server = grpc.aio.server(options=_OPTIONS, interceptors=[guard])
    for registration in service.registrations:
        registration.add(registration.servicer, server)
    healthy = _add_health(server)
    names = [family.full_name for family in families]
    reflection.enable_server_reflection([*names, health.SERVICE_NAME, reflection.SERVICE_NAME], server)
    for address in settings.listen:
        _bind(server, address)
    if settings.metrics_port:
        start_metrics_server(settings.metrics_port)
    await server.start()
    for address in settings.listen:
        _restrict(address)
    try:
        if service.edges:
            _take_all_descriptors()
        for edge in service.edges:
            await edge.start(authenticator)
        for name in ["", *names]:
            await healthy.set(name, health_pb2.HealthCheckResponse.SERVING)
        _log.info("service_ready", listen=settings.listen)
        await stopping.wait()
    finally:
        await healthy.enter_graceful_shutdown()
        await service.halt()
        await asyncio.gather(server.stop(settings.drain_s), *(edge.stop(settings.drain_s) for edge in service.edges))


def _add_health(server: grpc.aio.Server) -> Any:
    """Add grpc.health.v1 to `server` and return its servicer. The package has no types."""
    package: Any = health
    contract: Any = health_pb2_grpc
    servicer = package.aio.HealthServicer()
    contract.add_HealthServicer_to_server(servicer, server)
    return servicer


def _take_all_descriptors() -> None:
    """Allow this process as many open files as it may have: each connection of an edge is one, and 1,024 are few."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _restrict(address: str) -> None:
    """Make a unix socket usable by its own user alone."""
    if address.startswith("unix:"):
        Path(address.removeprefix("unix:")).chmod(0o600)


def _bind(server: grpc.aio.Server, address: str) -> None:
    """Bind `server` to `address`, over a socket file that a killed process left behind."""
    if address.startswith("unix:"):
        path = Path(address.removeprefix("unix:"))
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.unlink(missing_ok=True)
    try:
        server.add_insecure_port(address)
    except RuntimeError as error:
        raise PreconditionFailed(
            "ADDRESS_TAKEN", f"{address} cannot be bound: another process listens there, or it is not local."
        ) from error
