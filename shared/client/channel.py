"""Channels to other services of the mesh."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc
from grpc.aio import ClientCallDetails, Metadata
from opentelemetry.propagate import inject

from shared.auth.context import principal_or_none
from shared.auth.principal import Principal

MAX_MESSAGE_BYTES = 8 * 1024 * 1024
DEFAULT_DEADLINE_S = 30.0
OPTIONS: list[tuple[str, Any]] = [
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.initial_reconnect_backoff_ms", 100),
    # In spite of its name the longest time that one attempt to connect may take.
    ("grpc.min_reconnect_backoff_ms", 5000),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.default_authority", "nexus"),
    ("grpc.use_local_subchannel_pool", 1),
]
Credential = Callable[[Principal | None], str | None]
"""Gives the bearer credential for calls on behalf of a principal, or None for an anonymous call."""


class _Outgoing(grpc.aio.ClientInterceptor):
    """Adds the credential, the trace context and a default deadline to each call."""

    def __init__(self, credential: Credential) -> None:
        self._credential = credential

    def _details(self, details: ClientCallDetails, default_deadline_s: float | None) -> ClientCallDetails:
        metadata = Metadata(*(details.metadata or ()))
        carrier: dict[str, str] = {}
        inject(carrier)
        for key, value in carrier.items():
            metadata.add(key, value)
        token = self._credential(principal_or_none())
        if token is not None:
            metadata.add("authorization", f"Bearer {token}")
        return ClientCallDetails(
            method=details.method,
            timeout=details.timeout if details.timeout is not None else default_deadline_s,
            metadata=metadata,
            credentials=details.credentials,
            wait_for_ready=details.wait_for_ready,
        )


class _OutgoingUnary(_Outgoing, grpc.aio.UnaryUnaryClientInterceptor):
    async def intercept_unary_unary(
        self, continuation: Any, client_call_details: ClientCallDetails, request: Any
    ) -> Any:
        return await continuation(self._details(client_call_details, DEFAULT_DEADLINE_S), request)


class _OutgoingStream(_Outgoing, grpc.aio.UnaryStreamClientInterceptor):
    async def intercept_unary_stream(
        self, continuation: Any, client_call_details: ClientCallDetails, request: Any
    ) -> Any:
        # A stream has no default deadline: watches live as long as their reader.
        return await continuation(self._details(client_call_details, None), request)


def open_channel(address: str, credential: Credential) -> grpc.aio.Channel:
    """Open a channel to `address` (`host:port` on loopback or `unix:/path`) whose calls carry `credential`.

    The channel connects when it is first used and reconnects by itself, with at most a second between attempts. gRPC
    repeats a call only when no server can have seen it; a call that may have been served is never repeated here, since
    only its caller knows whether that is safe.
    """
    return grpc.aio.insecure_channel(
        address, options=OPTIONS, interceptors=[_OutgoingUnary(credential), _OutgoingStream(credential)]
    )
