"""Bounds what the bodies of requests become in memory."""

from __future__ import annotations

import re

from gateway.mcp_server.domain.errors import Reason, failure

MOST_VALUES = 50_000
"""As many as the tool executor takes in the arguments of a call."""
_TEXT = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)


def check_values(body: bytes) -> None:
    """Check that `body`, should it be JSON, has no more values than may be: each takes fifty times its bytes.

    Raises:
        InvalidInput: TOO_MANY_VALUES.
    """
    if _marks(body) > MOST_VALUES and _marks(_TEXT.sub(b"", body)) > MOST_VALUES:
        raise failure(Reason.TOO_MANY_VALUES, f"The body has more than {MOST_VALUES} values.")


def _marks(body: bytes) -> int:
    return body.count(b",") + body.count(b"[") + body.count(b"{")
