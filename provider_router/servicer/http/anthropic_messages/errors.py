"""Writes errors."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from provider_router.domain.errors import Reason
from shared.errors import NexusError
from shared.errors.http_status import http_status_of

_OVERLOADED = 529
_TYPES: Mapping[int, str] = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    504: "timeout_error",
    _OVERLOADED: "overloaded_error",
}
THREAD = "thread"
"""The field by which clients continue a conversation that their provider has stored."""
# By it the official client knows that it has to send the whole conversation, and goes on with that.
_NO_THREADS = {"error_code": "thread_unsupported_request", "unsupported": [THREAD]}
# There is no room now, or the router stops, and whoever asks later may be served: the dialect has a status of its own
# for that.
_BUSY = frozenset({Reason.CIRCUIT_OPEN, Reason.DEPLOYMENTS_BUSY, Reason.SHUTTING_DOWN})


def status_of(error: NexusError) -> int:
    """The HTTP status of `error`."""
    return _OVERLOADED if error.reason in _BUSY else http_status_of(error)


def error_type(error: NexusError) -> str:
    """The dialect's word for `error`."""
    if error.reason == Reason.BUDGET_EXHAUSTED:
        return "billing_error"
    status = status_of(error)
    return _TYPES.get(status) or ("api_error" if status >= 500 else "invalid_request_error")


def error_body(error: NexusError, request_id: str = "") -> bytes:
    """The JSON body of `error`."""
    told: dict[str, object] = {"type": error_type(error), "message": error.message}
    if any(violation.field == THREAD for violation in error.violations):
        told["details"] = _NO_THREADS
    body: dict[str, object] = {"type": "error", "error": told}
    if request_id:
        body["request_id"] = request_id
    return orjson.dumps(body)
