"""Why the server itself refuses a request or a connection: a closed set of reasons, each of one class.

Their statuses are in `shared/errors/http_status.py`, with all others.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from shared.errors import DeadlineExceeded, Internal, InvalidInput, NexusError, QuotaExceeded


class Refusal(StrEnum):
    """Why a request is refused before, or while, it is handled."""

    REQUEST_MALFORMED = "REQUEST_MALFORMED"
    HEAD_TOO_LARGE = "HEAD_TOO_LARGE"
    HEAD_TOO_SLOW = "HEAD_TOO_SLOW"
    TARGET_TOO_LONG = "TARGET_TOO_LONG"
    BODY_TOO_LARGE = "BODY_TOO_LARGE"
    BODY_TOO_SLOW = "BODY_TOO_SLOW"
    BODIES_TOO_LARGE = "BODIES_TOO_LARGE"
    TOO_MANY_CONNECTIONS = "TOO_MANY_CONNECTIONS"
    INTERNAL = "INTERNAL"


_WORDS: Mapping[Refusal, tuple[type[NexusError], str]] = {
    Refusal.REQUEST_MALFORMED: (InvalidInput, "This is no request that HTTP/1.1 allows"),
    Refusal.HEAD_TOO_LARGE: (InvalidInput, "The request line and headers are too large"),
    Refusal.HEAD_TOO_SLOW: (DeadlineExceeded, "The request line and headers did not come in time"),
    Refusal.TARGET_TOO_LONG: (InvalidInput, "The request target is too long"),
    Refusal.BODY_TOO_LARGE: (InvalidInput, "The request body is too large"),
    Refusal.BODY_TOO_SLOW: (InvalidInput, "The request body came too slowly"),
    Refusal.BODIES_TOO_LARGE: (QuotaExceeded, "The server holds as much of request bodies as it may; come back later"),
    Refusal.TOO_MANY_CONNECTIONS: (QuotaExceeded, "The server has as many connections as it may; come back later"),
    Refusal.INTERNAL: (Internal, "The request could not be handled"),
}


def refusal(reason: Refusal, what: str = "") -> NexusError:
    """The error of `reason`; `what` says more of it, never in words of the peer."""
    kind, words = _WORDS[reason]
    message = f"{words}: {what}." if what else f"{words}."
    return kind(reason, message, retry_after_s=1.0 if kind is QuotaExceeded else None)
