"""The errors with which calls about MCP servers end."""

from __future__ import annotations

from collections.abc import Sequence

from shared.errors import AlreadyExists, FieldViolation, InvalidInput, NotFound, QuotaExceeded, UpstreamDown

_RETRY_S = 5.0


def spec_invalid(violations: Sequence[FieldViolation]) -> InvalidInput:
    """Return the error of a server that cannot be registered as it is described."""
    told = "; ".join(f"{each.field}: {each.description}" for each in violations)
    return InvalidInput("MCP_SERVER_INVALID", f"The server cannot be used: {told}.", violations=violations)


def server_exists(name: str) -> AlreadyExists:
    """Return the error of a name that is in use."""
    return AlreadyExists("MCP_SERVER_EXISTS", f"There is a server {name!r} already. Remove it first.")


def request_id_reused() -> AlreadyExists:
    """Return the error of a key that was used for something else."""
    return AlreadyExists("REQUEST_ID_REUSED", "The request id was used for another server. Choose a new one.")


def too_many_servers(most: int) -> QuotaExceeded:
    """Return the error of an organisation that has as many servers as it may."""
    return QuotaExceeded("MCP_SERVERS_TOO_MANY", f"Your organisation has {most} MCP servers, its limit. Remove one.")


def too_many_tests() -> QuotaExceeded:
    """Return the error of one server too many that is tried at once."""
    return QuotaExceeded(
        "MCP_TESTS_TOO_MANY", "Too many servers are being tried. Try again in a moment.", retry_after_s=_RETRY_S
    )


def server_unknown(name: str) -> NotFound:
    """Return the error of a name that no server of the organisation has."""
    return NotFound(
        "MCP_SERVER_UNKNOWN",
        f"There is no MCP server {name!r}: `nexus mcp list` names them.",
        metadata={"server": name},
    )


def server_down(name: str, why: str) -> UpstreamDown:
    """Return the error of a server that does not answer."""
    return UpstreamDown(
        "MCP_SERVER_DOWN",
        f"The MCP server {name!r} cannot be used now: {why or 'it is being connected to'}.",
        metadata={"server": name},
        retry_after_s=_RETRY_S,
    )


def server_refused(name: str, why: str) -> UpstreamDown:
    """Return the error of a request that a server answers with an error."""
    return UpstreamDown("MCP_REQUEST_FAILED", f"The MCP server {name!r} refuses: {why}", metadata={"server": name})


def server_refused_arguments(name: str, why: str) -> InvalidInput:
    """Return the error of a request that a server calls wrong."""
    return InvalidInput("MCP_REQUEST_REFUSED", f"The MCP server {name!r} refuses: {why}", metadata={"server": name})
