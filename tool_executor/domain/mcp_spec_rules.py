"""Which descriptions of MCP servers are acceptable, before anything is done with them."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator
from urllib.parse import SplitResult, urlsplit

from shared.errors import FieldViolation
from tool_executor.domain.mcp_errors import spec_invalid
from tool_executor.domain.mcp_server import HttpTransport, Secret, ServerSpec, StdioTransport

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_VALUE = re.compile(r"[\x20-\x7e\t]*")
_PLAIN_URL = re.compile(r"[!-\[\]-~]+")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_TARGET = re.compile(r"(?:[A-Za-z0-9.*-]{1,253}|\[[0-9a-fA-F:.]+\]):([0-9]{1,5})")
_PORTS = {"http": 80, "https": 443}
_MAX_PORT = 65_535
# What the transport says itself; a second one would contradict it.
_OWN_HEADERS = frozenset(
    {
        *("host", "connection", "content-length", "content-type", "transfer-encoding", "upgrade", "te", "trailer"),
        *("accept", "accept-encoding", "mcp-session-id", "mcp-protocol-version", "last-event-id"),
    }
)


def require_acceptable(spec: ServerSpec, private_hosts: Container[str]) -> None:
    """Refuse a description that is malformed or asks for what the installation does not allow.

    Args:
        spec: the description.
        private_hosts: `host:port` at which the installation allows private addresses and plain http.

    Raises:
        InvalidInput: MCP_SERVER_INVALID, naming each field.
    """
    transport = spec.transport
    found = _http(transport, private_hosts) if isinstance(transport, HttpTransport) else _stdio(transport)
    violations = [FieldViolation(field, why) for field, why in found]
    if violations:
        raise spec_invalid(violations)


def place_of(host: str, port: int) -> str:
    """Return `host:port` as the installation names places: in lower case, IPv6 addresses in brackets."""
    bare = host.lower().rstrip(".")
    return f"[{bare}]:{port}" if ":" in bare else f"{bare}:{port}"


def _place(parts: SplitResult) -> str:
    port = parts.port or _PORTS.get(parts.scheme)
    if not parts.hostname or port is None:
        raise ValueError(parts.scheme)
    return place_of(parts.hostname, port)


def _http(transport: HttpTransport, private_hosts: Container[str]) -> Iterator[tuple[str, str]]:
    try:
        parts = urlsplit(transport.url)
        place = _place(parts)
    except ValueError:
        yield "url", "is no http or https address"
    else:
        if parts.scheme == "http" and place not in private_hosts:
            yield "url", "must be https; plain http only where NEXUS_TOOLS_MCP_PRIVATE_HOSTS names the host and port"
        elif parts.scheme not in _PORTS:
            yield "url", "is no http or https address"
        if "@" in parts.netloc or parts.fragment or not _PLAIN_URL.fullmatch(transport.url):
            yield "url", "must hold no user name, fragment, backslash or blank; secrets belong into headers"
    yield from _names("headers", transport.headers, _TOKEN)
    for header in transport.headers:
        if header.name.lower() in _OWN_HEADERS:
            yield "headers", f"{header.name!r} is set by the transport"
        if not _VALUE.fullmatch(header.value):
            yield "headers", f"the value of {header.name!r} has characters that no header may have"


def _stdio(transport: StdioTransport) -> Iterator[tuple[str, str]]:
    if not transport.argv or not transport.argv[0]:
        yield "argv", "names no program"
    if any("\0" in text for text in (*transport.argv, *(each.value for each in transport.environment))):
        yield "argv", "a word or a value holds a NUL"
    yield from _names("environment", transport.environment, _VARIABLE)
    for field, paths in (("read_only_paths", transport.read_only_paths), ("writable_paths", transport.writable_paths)):
        for path in paths:
            if not path.startswith("/") or "\0" in path or {"..", "."} & set(path.split("/")):
                yield field, f"{path[:80]!r} is no absolute path without `.` and `..`"
    for target in transport.egress:
        match = _TARGET.fullmatch(target)
        if match is None or not 0 < int(match[1]) <= _MAX_PORT:
            yield "egress", f"{target[:80]!r} is no host:port"


def _names(field: str, secrets: Iterable[Secret], allowed: re.Pattern[str]) -> Iterator[tuple[str, str]]:
    seen: set[str] = set()
    for secret in secrets:
        name = secret.name
        if not allowed.fullmatch(name):
            yield field, f"{name[:80]!r} is no name that it may have"
        elif name.lower() in seen:
            yield field, f"{name!r} is named twice"
        seen.add(name.lower())
