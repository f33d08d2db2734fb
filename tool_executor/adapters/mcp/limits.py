"""What an installation gives to connections, and how much of a server's time and words is taken."""

from __future__ import annotations

import time
from collections.abc import Callable, Container
from dataclasses import dataclass
from pathlib import Path

import grpc

from shared.net.lookup import Lookup


@dataclass(frozen=True, slots=True)
class McpLimits:
    """Limits of one connection.

    Args:
        connect_s: longest time to connect and agree on a protocol version.
        list_s: longest time to list all that a server offers.
        settle_s: time that changes are gathered before the lists are read again.
        probe_s: time without a change after which a server is asked whether it is still there.
        refresh_probes: after so many such questions the lists are read again.
        answer_s: longest time to wait for the answer to such a question.
        message_bytes: largest message.
        window_s: time over which messages are counted.
        window_messages: most messages in that time.
        window_requests: most requests of the server in that time.
        window_bytes: most bytes in that time.
        calls: most calls at once.
    """

    connect_s: float = 30.0
    list_s: float = 30.0
    settle_s: float = 0.5
    probe_s: float = 30.0
    refresh_probes: int = 10
    answer_s: float = 10.0
    message_bytes: int = 2_097_152
    window_s: float = 10.0
    window_messages: int = 2_000
    window_requests: int = 100
    window_bytes: int = 16_777_216
    calls: int = 16


@dataclass(frozen=True, slots=True)
class McpSurroundings:
    """What an installation gives to connections.

    Args:
        sandbox: a channel to the sandbox service.
        lookup: how addresses of hosts are found.
        private_hosts: `host:port` at which private addresses and plain http are allowed.
        ca_file: further certificate authorities to trust, in PEM.
        monotonic: tells the time in seconds.
    """

    sandbox: grpc.aio.Channel
    lookup: Lookup
    private_hosts: Container[str] = ()
    ca_file: Path | None = None
    monotonic: Callable[[], float] = time.monotonic
