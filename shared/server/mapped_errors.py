"""What callers are told of an error that a handler raised: one of the taxonomy, and nothing of the inside."""

from __future__ import annotations

import grpc

from shared.errors import Cancelled, DeadlineExceeded, Internal, NexusError, forget_stacks
from shared.telemetry.logging import get_logger

_log = get_logger(__name__)


def taxonomy_error(error: Exception, method: str) -> NexusError:
    """Return what the caller of `method` is told of `error`, the end of which this is.

    A defect is logged with its stack; after that, the stack is forgotten.
    """
    told = _told(error, method)
    forget_stacks(error)
    return told


def _told(error: Exception, method: str) -> NexusError:
    if isinstance(error, NexusError):
        if isinstance(error, Internal):
            _log.error("internal_error", rpc_method=method, reason=error.reason, exc_info=error)
        return error
    if isinstance(error, TimeoutError):
        return DeadlineExceeded("DEADLINE_EXCEEDED", "The call took longer than it may.")
    if isinstance(error, grpc.aio.AioRpcError) and error.code() is grpc.StatusCode.CANCELLED:
        return Cancelled("CANCELLED", "The call was cancelled.")
    _log.error("internal_error", rpc_method=method, reason="INTERNAL", exc_info=error)
    return Internal("INTERNAL", "Something broke inside Nexus. The log has it under the trace id.")
