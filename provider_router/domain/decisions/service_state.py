"""What the mesh knows of its services at one moment: health, load, measurements, rewards. Never a promise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from provider_router.domain.contracts.contract import PPM
from shared.circuit_breaker import Breaker


@dataclass(frozen=True, slots=True)
class Measured:
    """What was observed over the sliding window; 0 calls say nothing.

    Attributes:
        calls: In the window.
        success_ppm: Share of them that succeeded; the caller's own faults count as success.
        first_token_p50_ms: Median.
        first_token_p95_ms: 95th percentile.
        tokens_per_second: Median.
        excused: Of the calls, failures of an outage that the breaker has dealt with: decisions do not count them.
    """

    calls: int = 0
    success_ppm: int = PPM
    first_token_p50_ms: int = 0
    first_token_p95_ms: int = 0
    tokens_per_second: int = 0
    excused: int = 0


@dataclass(frozen=True, slots=True)
class Reward:
    """What was learned for one task class: `total_ppm` over `count` outcomes, each 0 to 1_000_000."""

    count: int = 0
    total_ppm: int = 0


@dataclass(frozen=True, slots=True)
class JudgedAnswer:
    """The outcome of one decision: who answered, and how good that was, 0 to 1_000_000."""

    service: str
    reward_ppm: int


@dataclass(frozen=True, slots=True)
class ServiceState:
    """One service at one moment.

    Attributes:
        configured: Whether the key that it needs is there and was not retired.
        breaker: Of its best deployment. One that is half open, waits for its trial and may be back counts as closed:
            were it held against it, no call would go there, and nobody would learn that it is back.
        cooling: Whether every deployment waits for the end of a `Retry-After` or a rate limit.
        load_ppm: Calls in flight against what its deployments take at once.
        measured: Over the window.
        broken_promises: Names of the guarantees that the measurements break, for example `first_token_p95_ms`.
        rewards: By task class.
        keys_refused: Whether it is not configured because its provider refused the keys that there are.
    """

    configured: bool = True
    breaker: Breaker = Breaker.CLOSED
    cooling: bool = False
    load_ppm: int = 0
    measured: Measured = Measured()
    broken_promises: tuple[str, ...] = ()
    rewards: Mapping[str, Reward] = field(default_factory=dict[str, Reward])
    keys_refused: bool = False


FRESH = ServiceState()
"""A service of which nothing is known yet."""


@dataclass(frozen=True, slots=True, eq=False)
class SystemState:
    """All services at one moment. Immutable: a newer state is another object.

    Attributes:
        services: By service name; one that is missing is `FRESH`.
        digest: SHA-256 of the canonical form, hexadecimal.
    """

    services: Mapping[str, ServiceState]
    digest: str

    def of(self, name: str) -> ServiceState:
        """The state of the service `name`."""
        return self.services.get(name, FRESH)
