"""A request that a model wants sent, held to what it may ask for."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import cast

from tool_executor.domain.tool_call import ToolFailure, invalid_arguments
from tool_executor.domain.tool_definition import JsonObject

READING = frozenset({"GET", "HEAD"})
IDEMPOTENCY_KEY = "Idempotency-Key"
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_MAX_HEADERS = 32
_MAX_VALUE_CHARS = 4_096
# What the client says by itself, what concerns one connection, and what tells who asks.
_OURS = frozenset(
    {
        *("host", "connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "content-length"),
        *("expect", "accept-encoding", "user-agent", "authorization", "cookie", "forwarded", "via", "x-real-ip"),
        *("idempotency-key", "x-http-method-override", "x-http-method", "x-method-override"),
    }
)
_OUR_KINDS = ("proxy-", "sec-", "x-forwarded-")


def checked_headers(arguments: JsonObject) -> dict[str, str]:
    """Return the headers in `arguments`.

    Raises:
        ToolFailure: HEADER_REFUSED for one that the tool sets by itself, or that is none.
    """
    headers = cast("Mapping[str, str]", arguments.get("headers", {}))
    if len(headers) > _MAX_HEADERS or len({name.lower() for name in headers}) < len(headers):
        raise _refused(f"There may be {_MAX_HEADERS} headers, each name once.")
    for name, value in headers.items():
        if not _NAME.fullmatch(name):
            raise _refused(f"{name[:64]!r} is no name of a header.")
        if name.lower() in _OURS or name.lower().startswith(_OUR_KINDS):
            raise _refused(
                f"{name} is set by the tool; leave it out. Credentials are added where the operator laid some down."
            )
        if len(value) > _MAX_VALUE_CHARS or not value.isascii() or not (value.isprintable() or not value):
            raise _refused(f"The value of {name} must be printable ASCII of at most {_MAX_VALUE_CHARS} characters.")
    return dict(headers)


def checked_body(arguments: JsonObject, method: str, headers: dict[str, str]) -> bytes:
    """Return the bytes to send, and note their type in `headers` unless one is told.

    Raises:
        ToolFailure: BODY_REFUSED when there are two, or one for GET or HEAD.
    """
    body, value = arguments.get("body"), arguments.get("json")
    if body is None and value is None:
        return b""
    if method in READING:
        raise invalid_arguments("BODY_REFUSED", f"{method} takes no body. Put it into the address, or use POST.")
    if body is not None and value is not None:
        raise invalid_arguments("BODY_REFUSED", "Give either body or json, not both.")
    told = any(name.lower() == "content-type" for name in headers)
    if body is not None:
        headers |= {} if told else {"Content-Type": "text/plain; charset=utf-8"}
        return str(body).encode("utf-8", "replace")
    headers |= {} if told else {"Content-Type": "application/json"}
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")


def idempotency_key(org_id: str, request_id: str) -> str:
    """Return the key of an effect: the same for the same call, and nothing of whose it is."""
    return hashlib.sha256(f"{org_id}\0{request_id}".encode()).hexdigest()[:32]


def _refused(message: str) -> ToolFailure:
    return invalid_arguments("HEADER_REFUSED", message)
