"""MCP servers as an owner registers them, and how they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from tool_executor.domain.mcp_catalog import Catalog
from tool_executor.domain.tool_definition import SideEffect


@dataclass(frozen=True, slots=True)
class Secret:
    """A name with a value that nobody gets to see: not in a log, not in an answer."""

    name: str
    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class StdioTransport:
    """A program in the sandbox that speaks over its standard streams.

    Args:
        argv: its command line.
        environment: what it finds in its environment.
        read_only_paths: paths of the host that it may read.
        writable_paths: paths of the host that it may write.
        egress: `host:port` targets that it may reach.
    """

    argv: tuple[str, ...]
    environment: tuple[Secret, ...] = ()
    read_only_paths: tuple[str, ...] = ()
    writable_paths: tuple[str, ...] = ()
    egress: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HttpTransport:
    """A server at an address, reached over streamable HTTP with `headers` in every request."""

    url: str
    headers: tuple[Secret, ...] = ()


@dataclass(frozen=True, slots=True)
class ServerSpec:
    """How a server is reached, and what its tools count as.

    Args:
        name: `[a-z][a-z0-9]{0,23}`, the prefix of its tools.
        transport: how it is reached.
        default_side_effect: what the owner says that its tools do to the world; None when he does not say.
    """

    name: str
    transport: StdioTransport | HttpTransport
    default_side_effect: SideEffect | None = None

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """The names with values that are kept encrypted."""
        if isinstance(self.transport, HttpTransport):
            return self.transport.headers
        return self.transport.environment


@dataclass(frozen=True, slots=True)
class RegisteredServer:
    """A server that an organisation has registered.

    Args:
        org_id: whose it is.
        user_id: who registered it.
        request_id: the key under which it was registered; empty for none.
        spec: how it is reached.
        created_at: aware, in UTC.
        pins: digests of its tools as they were first seen, by the names that the server gives them.
        is_readable: whether its secrets could be decrypted; without them it is not connected to.
    """

    org_id: str
    user_id: str
    request_id: str
    spec: ServerSpec
    created_at: datetime
    pins: Mapping[str, str] = field(default_factory=dict[str, str])
    is_readable: bool = True


class ServerState(Enum):
    """How a server is."""

    CONNECTING = "connecting"
    """It is being connected to."""
    READY = "ready"
    """It answers."""
    FAILED = "failed"
    """It does not; it is tried again by and by."""


@dataclass(frozen=True, slots=True)
class ServerView:
    """A server with its state.

    Args:
        server: as it was registered.
        state: how it is.
        error: why it failed; empty otherwise.
        catalog: what it offered last; empty before that.
    """

    server: RegisteredServer
    state: ServerState
    error: str
    catalog: Catalog


class McpFailure(Exception):
    """A server cannot be reached, broke off, or does not keep to the protocol.

    Args:
        message: why, in a few words, for whoever may list the servers.
        detail: more for the owner alone, such as the end of a program's error output; empty for none.
    """

    def __init__(self, message: str, detail: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail


class McpRefusal(Exception):
    """A server answered a request with an error, which says why.

    Args:
        message: what the server says, cut; a stranger's words.
        blames_arguments: whether it says that the request is wrong.
        is_timeout: whether it did not answer in time.
    """

    def __init__(self, message: str, *, blames_arguments: bool = False, is_timeout: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.blames_arguments = blames_arguments
        self.is_timeout = is_timeout
