"""The taxonomy as errors of JSON-RPC."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR, INVALID_PARAMS
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS

from gateway.mcp_server.domain.errors import Reason
from shared.errors import Internal, InvalidInput, NexusError, NotFound
from shared.server.mapped_errors import taxonomy_error

REFUSED = -32000
"""JSON-RPC leaves it to servers: the request is well-formed, and is not done for the reason in its data."""
_RESOURCE_UNKNOWN = -32002


@contextmanager
def mcp_errors(method: str, protocol_version: str) -> Generator[None, None, None]:
    """Turn what fails in the block into an error that the client is told, which says nothing of the inside."""
    try:
        yield
    except MCPError:
        raise
    except Exception as error:  # noqa: BLE001 - the SDK would tell clients the text of whatever it is
        told = taxonomy_error(error, method)
        raise mcp_error(told, protocol_version) from None


def mcp_error(error: NexusError, protocol_version: str) -> MCPError:
    """Return `error` as a client of `protocol_version` is told it."""
    code = REFUSED
    if error.reason == Reason.RESOURCE_UNKNOWN and protocol_version in HANDSHAKE_PROTOCOL_VERSIONS:
        # Later versions count it among the parameters that are wrong.
        code = _RESOURCE_UNKNOWN
    elif isinstance(error, InvalidInput | NotFound):
        code = INVALID_PARAMS
    elif isinstance(error, Internal):
        code = INTERNAL_ERROR
    return MCPError(code, error.message, {"reason": error.reason})
