"""Finding the addresses of hosts."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeAlias

AddressRule: TypeAlias = Callable[[str], bool]
"""Whether a numeric address will do."""
Found: TypeAlias = Sequence[tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[Any, ...]]]
Lookup: TypeAlias = Callable[[str, int, socket.AddressFamily], Awaitable[Found]]
"""Looks up a host and port for stream sockets of a family, as `socket.getaddrinfo` does."""


async def looked_up(host: str, port: int, family: socket.AddressFamily) -> Found:
    """Return what the machine's resolver says, from a thread of the event loop."""
    loop = asyncio.get_running_loop()
    return await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, family=family)


class NameThreads:
    """A `Lookup` with threads of its own: names that nobody answers for must not keep other work waiting.

    Args:
        threads: most look-ups at a time; further ones wait.
    """

    def __init__(self, threads: int = 4) -> None:
        self._threads = ThreadPoolExecutor(threads, "names")

    async def __call__(self, host: str, port: int, family: socket.AddressFamily) -> Found:
        """Return what the machine's resolver says."""
        ask = partial(socket.getaddrinfo, host, port, family=family, type=socket.SOCK_STREAM)
        return await asyncio.get_running_loop().run_in_executor(self._threads, ask)

    def stop(self) -> None:
        """End the threads once they have their answers."""
        self._threads.shutdown(wait=False, cancel_futures=True)
