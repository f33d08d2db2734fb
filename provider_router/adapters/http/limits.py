"""How long and how much the router takes from a provider."""

from __future__ import annotations

from dataclasses import dataclass

from provider_router.domain.calls.call_limits import CallLimits


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """Limits of one call to a provider.

    Attributes:
        connect_s: Until the connection stands.
        first_token_s: From the call to the first piece of the answer, waiting in the provider's line included.
        idle_s: Between two pieces.
        total_s: For the whole answer.
        embed_s: For a whole embedding call.
        connections_per_host: Connections at once to one host; more calls wait for one.
        waiting_per_host: Calls that may wait for one of them; more are refused.
        event_bytes: Of one server-sent event.
        body_bytes: Of one body that is read whole.
    """

    connect_s: float = 5.0
    first_token_s: float = 60.0
    idle_s: float = 30.0
    total_s: float = 300.0
    embed_s: float = 60.0
    connections_per_host: int = 64
    waiting_per_host: int = 1024
    event_bytes: int = 1024 * 1024
    body_bytes: int = 64 * 1024 * 1024

    @property
    def of_call(self) -> CallLimits:
        """The time limits of a call that brings none of its own."""
        return CallLimits(
            *(max(1, round(value_s * 1000)) for value_s in (self.first_token_s, self.idle_s, self.total_s))
        )
