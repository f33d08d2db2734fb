"""What a provider's faults mean in the router's closed set of reasons."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from traceback import extract_tb
from typing import Any

import orjson

from provider_router.adapters.http.forbidden import reason_of_forbidden
from provider_router.adapters.http.json_fields import MalformedAnswerError, as_object
from provider_router.domain.errors import Reason, failure
from shared.errors import NexusError
from shared.telemetry.logging import get_logger

_log = get_logger(__name__)
_MESSAGE_CAP = 200
_RETRY_CAP_S = 86_400.0
_UNSAFE = re.compile(r"[a-z][a-z0-9+.-]*://\S+|\b(?:sk|pk|key|nxk|gsk|xai)[-_]\S+|bearer\s+\S+|\S{24,}", re.IGNORECASE)
_CONTEXT_SIGNS = (
    "context_length_exceeded",
    "exceed_context_size",
    "maximum context length",
    "exceeds the available context",
    "context size has been exceeded",
    "prompt is too long",
    "too large to process",
)
_STATUS_REASONS: Mapping[int, Reason] = {
    401: Reason.PROVIDER_REFUSED_KEY,
    404: Reason.PROVIDER_MODEL_MISSING,
    408: Reason.PROVIDER_TIMEOUT,
    413: Reason.CONTEXT_TOO_LONG,
    429: Reason.PROVIDER_RATE_LIMITED,
    504: Reason.PROVIDER_TIMEOUT,
}
_REMEDIES: Mapping[Reason, str] = {
    Reason.PROVIDER_REFUSED_KEY: "refused its key; check the environment variable named by api_key_env",
    Reason.PROVIDER_MODEL_MISSING: "does not have this model, or its base_url is wrong; check the providers file",
    Reason.PROVIDER_TIMEOUT: "took too long",
    Reason.CONTEXT_TOO_LONG: "cannot take that much text; shorten the request",
    Reason.PROVIDER_RATE_LIMITED: "is limiting the rate; try again later",
    Reason.PROVIDER_UNREACHABLE: "does not answer; check that it runs and that its base_url is right",
    Reason.PROVIDER_BAD_RESPONSE: "sent an answer that is malformed or not complete",
    Reason.PROVIDER_ERROR: "had an error of its own",
    Reason.PROVIDER_REFUSED_REQUEST: "refused the request",
    Reason.DEPLOYMENTS_BUSY: "has as many calls waiting for it as may; try again later",
}


def fault(provider: str, reason: Reason, *, detail: str = "", retry_after_s: float | None = None) -> NexusError:
    """Returns the error of a provider's fault.

    Args:
        provider: The provider's name.
        reason: One of those with a remedy above.
        detail: Facts that hold no secret, for the end of the message.
        retry_after_s: Where the provider said it.
    """
    tail = f" ({detail})" if detail else ""
    return failure(
        reason,
        f"The provider '{provider}' {_REMEDIES[reason]}{tail}.",
        metadata={"provider": provider},
        retry_after_s=retry_after_s,
    )


def fault_of_status(provider: str, status: int, headers: Mapping[str, str], body: bytes, now: datetime) -> NexusError:
    """Returns the error of an HTTP answer that is no success.

    The provider's own words are passed on, sanitised, only where they say what is wrong with the request.

    Args:
        provider: The provider's name.
        status: The HTTP status.
        headers: The answer's.
        body: The start of the answer's body.
        now: For a retry date.
    """
    retry_after_s = _retry_after_s(headers, now)
    detail = f"HTTP {status}"
    if _speaks_of_context(body):
        return fault(provider, Reason.CONTEXT_TOO_LONG, detail=detail)
    reason = reason_of_forbidden(body) if status == 403 else _STATUS_REASONS.get(status)
    if reason is None and 400 <= status < 500:
        reason = Reason.PROVIDER_REFUSED_REQUEST
    if reason is Reason.PROVIDER_REFUSED_REQUEST:
        said = sanitised(_message_of(body))
        return fault(provider, reason, detail=f"{detail}: {said}" if said else detail)
    if reason is not None:
        return fault(provider, reason, detail=detail, retry_after_s=retry_after_s)
    if status < 400:
        return fault(provider, Reason.PROVIDER_BAD_RESPONSE, detail=detail)
    return fault(provider, Reason.PROVIDER_ERROR, detail=detail, retry_after_s=retry_after_s)


def fault_in_stream(provider: str, error: Any) -> NexusError:
    """Returns the error of an error object that came within a stream of status 200."""
    try:
        raw = orjson.dumps(error)
    except orjson.JSONEncodeError:
        # It is read deeper than it can be written.
        raw = b""
    if _speaks_of_context(raw):
        return fault(provider, Reason.CONTEXT_TOO_LONG)
    limited = b"rate_limit" in raw.lower()
    return fault(provider, Reason.PROVIDER_RATE_LIMITED if limited else Reason.PROVIDER_ERROR)


def unreadable(provider: str, error: Exception) -> NexusError:
    """Returns the error of an answer at which a decoder failed with `error`.

    The log has its kind and its place; its text may hold what the provider said.
    """
    frame = extract_tb(error.__traceback__)[-1]
    kind, place = type(error).__name__, f"{frame.filename.rpartition('/')[2]}:{frame.lineno}"
    _log.error("answer_not_decoded", provider=provider, error=kind, place=place)
    return fault(provider, Reason.PROVIDER_BAD_RESPONSE, detail="it cannot be read")


def sanitised(text: str) -> str:
    """A provider's words, cut to 200 characters, without URLs, keys, control characters or long opaque runs."""
    printable = "".join(character if character.isprintable() else " " for character in text)
    return _UNSAFE.sub("[...]", printable)[:_MESSAGE_CAP].strip().rstrip(".")


def _speaks_of_context(body: bytes) -> bool:
    text = body.decode("utf-8", "replace").lower()
    return any(sign in text for sign in _CONTEXT_SIGNS)


def _message_of(body: bytes) -> str:
    try:
        error = as_object(orjson.loads(body)).get("error")
        return str(as_object(error).get("message") or "")
    except (orjson.JSONDecodeError, MalformedAnswerError):
        return ""


def _retry_after_s(headers: Mapping[str, str], now: datetime) -> float | None:
    value = headers.get("Retry-After", "").strip()
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(value) - now).total_seconds()
        except (ValueError, TypeError, OverflowError):
            return None
    return min(max(seconds, 0.0), _RETRY_CAP_S) if math.isfinite(seconds) else None
