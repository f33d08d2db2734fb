"""Bounds what the bodies of requests become in memory."""

from __future__ import annotations

from gateway.mcp_server.domain.errors import Reason, failure
from shared.json_values import MOST_VALUES, has_too_many_values


def check_values(body: bytes) -> None:
    """Check that `body`, should it be JSON, has no more values than may be: each takes fifty times its bytes.

    Raises:
        InvalidInput: TOO_MANY_VALUES.
    """
    if has_too_many_values(body):
        raise failure(Reason.TOO_MANY_VALUES, f"The body has more than {MOST_VALUES} values.")
