"""A place at a deployment, lent for one attempt."""

from __future__ import annotations

from provider_router.domain.contracts.provider import Target
from provider_router.domain.errors import Reason
from shared.value import value


@value
class Lease:
    """Leave to call a service once, at one deployment with one key.

    Attributes:
        service: `provider/model`.
        target: Where.
        trial: Whether the deployment's breaker is half open and this call decides.
    """

    service: str
    target: Target
    trial: bool = False


@value
class Unavailable:
    """No deployment of a service may be called now.

    Attributes:
        reason: PROVIDER_NOT_CONFIGURED, PROVIDER_REFUSED_KEY, CIRCUIT_OPEN, PROVIDER_RATE_LIMITED, DEPLOYMENTS_BUSY.
        retry_after_s: When one may be; None when nobody knows.
        cause: Why its last call failed, of `errors.Reason`, where that is why its breaker is open; else empty.
    """

    reason: Reason
    retry_after_s: float | None = None
    cause: str = ""


@value
class CallReport:
    """How a leased call went.

    Attributes:
        reason: Why it failed; None for success, and for a call that was given up and so says nothing.
        finished: Whether it ran to its end, good or bad; False when the caller or the router gave it up.
        retry_after_s: Where the provider said so.
        first_token_ms: Time to the first piece; None when none came.
        output_tokens: Generated.
        duration_ms: Of the call.
    """

    reason: Reason | None = None
    finished: bool = True
    retry_after_s: float | None = None
    first_token_ms: int | None = None
    output_tokens: int = 0
    duration_ms: int = 0
