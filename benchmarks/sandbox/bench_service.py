"""The sandbox service as it is measured: a process of its own with the real backend and every limit on."""

from __future__ import annotations

import asyncio
import sys
from typing import NoReturn

import uvloop

from sandbox_service.adapters.image_store_folder import FolderImageStore
from sandbox_service.adapters.isolation_backend_namespaces import NamespaceBackend
from sandbox_service.domain.isolation_level import IsolationLevel
from sandbox_service.main import Outside, build_over, namespace_options
from sandbox_service.settings import Settings
from shared.clock import SystemClock
from shared.ids import new_id
from shared.server import Dependencies
from shared.telemetry.logging import configure_logging
from shared.testing.harness import serving


class AnyLevel:
    """Asks no settings service: every organisation wants what this host has."""

    async def least(self, org_id: str) -> IsolationLevel:  # noqa: ARG002
        """Return the weakest level."""
        return IsolationLevel.NAMESPACES

    async def stop(self) -> None:
        """Nothing is held."""


def _no_channel(_address: str) -> NoReturn:
    raise AssertionError("the sandbox calls nobody")


async def serve() -> None:
    """Serve until standard input ends; prints the address."""
    configure_logging("bench", "WARNING")
    settings, deps = Settings(), Dependencies(SystemClock(), new_id, _no_channel)
    backend = NamespaceBackend(namespace_options(settings), deps.clock, deps.new_id)
    outside = Outside(backend, FolderImageStore(settings.images_dir.expanduser()), AnyLevel())
    async with serving(build_over(outside, settings, deps)) as served:
        print(served.address, flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve())
