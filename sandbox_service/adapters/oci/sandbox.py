"""One container as a sandbox."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from sandbox_service.adapters.launcher.wire import Message
from sandbox_service.adapters.namespaces.cgroups import RunGroup
from sandbox_service.adapters.namespaces.host import HostSetup
from sandbox_service.adapters.namespaces.sandbox import Around, NamespaceSandbox
from sandbox_service.adapters.oci.runtime import Container

_PATIENCE_S = 5.0


class ContainerSandbox(NamespaceSandbox):
    """Implements Sandbox: a sandbox whose PID 1 a runtime has started.

    Attributes:
        sees_gvisor: whether PID 1 has found gVisor's kernel around it; known when it is ready.
    """

    def __init__(self, host: HostSetup, container: Container, group: RunGroup | None, around: Around) -> None:
        self.sees_gvisor = False
        self._container = container
        self._forcing: asyncio.Task[None] | None = None
        super().__init__(host, container, group, around)

    def _hear(self, message: Message, descriptors: list[int]) -> None:
        if message["event"] == "ready":
            self.sees_gvisor = message.get("gvisor") is True
        super()._hear(message, descriptors)

    def _kill_hard(self) -> None:
        # Killing the runtime's process would leave the container behind.
        self._forcing = self._loop.create_task(self._force())

    async def _force(self) -> None:
        await asyncio.to_thread(self._container.runtime.kill, self._container.name)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._gone.wait(), _PATIENCE_S)
        super()._kill_hard()

    async def _bury(self) -> None:
        if self._forcing:
            await asyncio.wait([self._forcing])
        await super()._bury()
        await asyncio.to_thread(self._container.remove)
