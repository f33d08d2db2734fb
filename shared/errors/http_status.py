"""The taxonomy as HTTP statuses, the same for every dialect that errors are told in.

Each class has one status. Some reasons have a better one: HTTP can say more than the classes do, and what only the
operator can put right is not the caller's fault.
"""

from __future__ import annotations

from collections.abc import Mapping

from shared.errors import taxonomy

_OF_CLASS: Mapping[type[taxonomy.NexusError], int] = {
    taxonomy.InvalidInput: 400,
    taxonomy.PreconditionFailed: 400,
    taxonomy.Unauthenticated: 401,
    taxonomy.Forbidden: 403,
    taxonomy.NotFound: 404,
    taxonomy.AlreadyExists: 409,
    taxonomy.StaleWrite: 409,
    taxonomy.QuotaExceeded: 429,
    taxonomy.Cancelled: 499,
    taxonomy.Internal: 500,
    taxonomy.UpstreamDown: 503,
    taxonomy.DeadlineExceeded: 504,
}
_OF_REASON: Mapping[str, int] = {
    # Of shared.http_server, before a request is handled.
    "HEAD_TOO_SLOW": 408,
    "BODY_TOO_SLOW": 408,
    "BODY_TOO_LARGE": 413,
    "TARGET_TOO_LONG": 414,
    "HEAD_TOO_LARGE": 431,
    "BODIES_TOO_LARGE": 503,
    "TOO_MANY_CONNECTIONS": 503,
    # Of surfaces.
    "METHOD_NOT_ALLOWED": 405,
    "MEDIA_TYPE_UNSUPPORTED": 415,
    "MODEL_UNKNOWN": 404,
    # Of providers: clients wait where they are told 429. The reason says whose limit it is.
    "PROVIDER_RATE_LIMITED": 429,
    "PROVIDER_ERROR": 502,
    "PROVIDER_BAD_RESPONSE": 502,
    "STREAM_BROKEN": 502,
    "PROVIDER_TIMEOUT": 504,
    # The operator's to put right.
    "LIMITS_INVALID": 503,
    "PRICE_UNKNOWN": 503,
    "NO_MODEL_CONFIGURED": 503,
    "PROVIDER_NOT_CONFIGURED": 503,
    "PROVIDER_REFUSED_KEY": 503,
    "PROVIDER_MODEL_MISSING": 503,
}


def http_status_of(error: taxonomy.NexusError) -> int:
    """Returns the HTTP status of `error`: of its reason, else of its class."""
    known = _OF_REASON.get(error.reason)
    return known if known is not None else next(_OF_CLASS[cls] for cls in type(error).__mro__ if cls in _OF_CLASS)
