"""A command's connection to the mesh: addresses, the key, one trace per command."""

from __future__ import annotations

import re
import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc

from mesh.cli.settings import CliSettings, load_cli_settings
from mesh.supervisor.control import running_mesh
from shared.errors import InvalidInput, NexusError, PreconditionFailed, Unauthenticated
from shared.errors.grpc_status import error_from_call

_MAX_MESSAGE_BYTES = 8 * 1024 * 1024
_OPTIONS = [
    ("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", _MAX_MESSAGE_BYTES),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.keepalive_time_ms", 60_000),
]
_LOOPBACK = re.compile(r"(?:127(?:\.\d{1,3}){3}|localhost|\[::1\]):\d+")
_HTTPS = "https://"
UNARY_TIMEOUT_S = 30.0
Metadata = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Link:
    """A channel to one service, and the metadata that each call on it must carry."""

    channel: grpc.aio.Channel
    metadata: Metadata = field(repr=False)


@dataclass(frozen=True, slots=True)
class Session:
    """What one invocation of a command knows. `trace_id` is 32 hex digits and is found in every service's log."""

    settings: CliSettings
    trace_id: str

    @asynccontextmanager
    async def connect(self, service: str) -> AsyncGenerator[Link]:
        """Open a channel to a service for the duration of the block; failed calls become errors of the taxonomy.

        Raises:
            PreconditionFailed: reason MESH_NOT_RUNNING.
            Unauthenticated: reason KEY_MISSING.
            NexusError: when a call inside the block fails; its metadata holds `trace_id`.
        """
        address = self._address(service)
        link_metadata = self._metadata()
        async with _open(address) as channel:
            try:
                yield Link(channel, link_metadata)
            except grpc.aio.AioRpcError as error:
                raise traced(self._explained(error_from_call(error, service), service), self.trace_id) from error

    def _address(self, service: str) -> str:
        if self.settings.address:
            return self.settings.address
        mesh = running_mesh(self.settings.layout)
        entry = mesh.service(service) if mesh else None
        if entry is None:
            raise PreconditionFailed(
                "MESH_NOT_RUNNING",
                f"No mesh runs on {self.settings.data}. Start it with `nexus up`, or name its data directory with "
                "--data or NEXUS_DATA.",
            )
        return entry.address

    def _explained(self, error: NexusError, service: str) -> NexusError:
        """Add what only this side knows: which key was sent, and where to."""
        if isinstance(error, Unauthenticated):
            source = "NEXUS_API_KEY" if self.settings.api_key is not None else str(self.settings.layout.owner_key)
            error.message = f"{error.message} It was read from {source}."
        elif error.reason == "UNIMPLEMENTED":
            error.message = f"{self._address(service)} does not serve this part of the {service} service."
        return error

    def _metadata(self) -> Metadata:
        # W3C trace context: version, trace id, our span's id, sampled. Source: https://www.w3.org/TR/trace-context/.
        traceparent = f"00-{self.trace_id}-{secrets.token_hex(8)}-01"
        return (("authorization", f"Bearer {self._key()}"), ("traceparent", traceparent))

    def _key(self) -> str:
        if self.settings.api_key is not None:
            return _checked(self.settings.api_key.get_secret_value(), "NEXUS_API_KEY")
        path = self.settings.layout.owner_key
        try:
            return _checked(path.read_text(encoding="utf-8"), str(path))
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not text"
            raise Unauthenticated(
                "KEY_MISSING",
                f"The owner's key {path} cannot be read ({reason}). The settings service writes it at its first start; "
                "elsewhere, set NEXUS_API_KEY.",
            ) from error


def open_session(data: Path | None) -> Session:
    """Return the session of one invocation.

    Raises:
        InvalidInput: when the settings are wrong.
    """
    return Session(load_cli_settings(data), secrets.token_hex(16))


def traced(error: NexusError, trace_id: str) -> NexusError:
    """Return the error with the trace id in its metadata."""
    error.metadata = {**error.metadata, "trace_id": trace_id}
    return error


def _checked(key: str, source: str) -> str:
    key = key.strip()
    if not key or not key.isascii() or not key.isprintable():
        raise Unauthenticated("KEY_INVALID", f"{source} holds no API key.")
    return key


def _open(address: str) -> grpc.aio.Channel:
    if address.startswith(_HTTPS):
        return grpc.aio.secure_channel(address.removeprefix(_HTTPS), grpc.ssl_channel_credentials(), options=_OPTIONS)
    if not address.startswith("unix:") and not _LOOPBACK.fullmatch(address):
        raise InvalidInput(
            "ADDRESS_INSECURE",
            f"{address} is on another machine and not https: the key would travel in clear. Use https://host:port.",
        )
    options = [*_OPTIONS, ("grpc.default_authority", "nexus")] if address.startswith("unix:") else _OPTIONS
    return grpc.aio.insecure_channel(address, options=options)
