"""One model at one deployment, as observed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from provider_router.domain.decisions.service_state import Measured
from shared.circuit_breaker import Breaker


@dataclass(frozen=True, slots=True)
class DeploymentStatus:
    """One model at one deployment of a provider.

    Attributes:
        service: `provider/model`.
        deployment: The deployment's name.
        breaker: State of its circuit breaker.
        paused_until: Until when it is given no call; None when it is given some.
        in_flight: Calls at once, now.
        measured: Over the window.
        broken_promises: Guarantees that the measurements break.
        usable_keys: Keys in use.
        configured_keys: Keys that are configured.
        last_error_reason: Why the last call failed; empty when it worked or none was made. Before the first call it
            is that of the last probe.
        missing_keys: Keys that are configured and not there.
        called_time: When the last call ended that said something; None before the first.
        is_probed: Whether a probe said how it is.
        seems_back: Whether a probe was answered since its last call failed: the next call tries it.
    """

    service: str
    deployment: str
    breaker: Breaker
    paused_until: datetime | None
    in_flight: int
    measured: Measured
    broken_promises: tuple[str, ...]
    usable_keys: int
    configured_keys: int
    last_error_reason: str
    missing_keys: int = 0
    called_time: datetime | None = None
    is_probed: bool = False
    seems_back: bool = False
