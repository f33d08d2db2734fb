"""What a composition root returns, and what it is given."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import grpc
from google.protobuf.descriptor import ServiceDescriptor

from shared.auth.authenticator import Authenticator, KeyDirectory
from shared.clock import Clock
from shared.ids import IdSource


@dataclass(frozen=True, slots=True)
class Dependencies:
    """What every composition root is given.

    `channel(address)` opens a channel to another service that carries the current principal; the server closes it.
    """

    clock: Clock
    new_id: IdSource
    channel: Callable[[str], grpc.aio.Channel]


@dataclass(frozen=True, slots=True)
class Registration:
    """One RPC family: the generated `add_...Servicer_to_server`, the servicer, and the family's descriptor."""

    add: Callable[[Any, Any], None]
    servicer: object
    descriptor: ServiceDescriptor


class Edge(Protocol):
    """Another way into a service than gRPC, at an address of its own, for the same callers."""

    async def start(self, authenticator: Authenticator) -> None:
        """Begin to take calls, whose callers `authenticator` tells.

        Raises:
            PreconditionFailed: ADDRESS_TAKEN.
        """
        ...

    async def stop(self, drain_s: float) -> None:
        """Take no more calls, and end those that are not done after `drain_s` seconds. Idempotent."""
        ...


async def _nothing() -> None:
    """Do nothing."""


@dataclass(frozen=True, slots=True)
class Service:
    """A wired service, ready to be served.

    Attributes:
        name: short name; the domain of its errors is `<name>.nexus`.
        registrations: the RPC families that it serves.
        start: opens what it needs (databases, files) before the first call is taken.
        halt: gives up work of its own as soon as the end is asked for, before the calls in flight are drained: its
            peers may be asked to end at the same moment. Calls are still taken while it runs.
        stop: closes it, after the last call and the background work have ended.
        background: work that runs beside the calls until it is cancelled; if one ends with an error, so does the
            process. `supervised` keeps it going.
        keys: who knows whose an API key is, when not the settings service by its RPC.
        edges: other ways in; they are open before the service counts as ready, and drained beside gRPC.
    """

    name: str
    registrations: Sequence[Registration]
    start: Callable[[], Awaitable[None]] = _nothing
    halt: Callable[[], Awaitable[None]] = _nothing
    stop: Callable[[], Awaitable[None]] = _nothing
    background: Sequence[Callable[[], Coroutine[Any, Any, None]]] = field(default=())
    keys: KeyDirectory | None = None
    edges: Sequence[Edge] = ()
