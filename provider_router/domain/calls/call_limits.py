"""How long one call to a model may take."""

from __future__ import annotations

from shared.value import value


@value
class CallLimits:
    """Time limits of one call, in milliseconds, each at least 1.

    Attributes:
        first_token_ms: From the call to the first piece of the answer.
        idle_ms: Between two pieces.
        total_ms: For the whole answer.
    """

    first_token_ms: int
    idle_ms: int
    total_ms: int
