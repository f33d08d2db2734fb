"""Errors in OpenAI's shape, `{"error": {"message", "type", "param", "code"}}`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from shared.errors import NexusError
from shared.errors.http_status import http_status_of

_TYPES: Mapping[int, str] = {
    401: "authentication_error",
    403: "permission_error",
    429: "rate_limit_error",
}
_CODES: Mapping[str, str] = {
    "MODEL_UNKNOWN": "model_not_found",
    "CONTEXT_TOO_LONG": "context_length_exceeded",
    "BUDGET_EXHAUSTED": "insufficient_quota",
    "RATE_LIMITED": "rate_limit_exceeded",
    "UNSUPPORTED_CAPABILITY": "unsupported_value",
}
"""OpenAI's word for a reason, where it has one; else the reason itself, in lower case."""
_CODES_OF_STATUS: Mapping[int, str] = {401: "invalid_api_key"}


def error_object(error: NexusError) -> Mapping[str, Any]:
    """`error` as the value of `error`."""
    status = http_status_of(error)
    code = _CODES.get(error.reason) or _CODES_OF_STATUS.get(status) or error.reason.lower()
    kind = "server_error" if status >= 500 else _TYPES.get(status, "invalid_request_error")
    return {
        "message": error.message,
        "type": code if code == "insufficient_quota" else kind,
        "param": _param(error),
        "code": code,
    }


def error_body(error: NexusError) -> tuple[int, bytes]:
    """The HTTP status and the JSON body of `error`."""
    return http_status_of(error), orjson.dumps({"error": error_object(error)})


def _param(error: NexusError) -> str | None:
    if error.violations:
        return error.violations[0].field or None
    return "model" if error.reason == "MODEL_UNKNOWN" else None
