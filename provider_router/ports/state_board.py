"""What is known of the services' health, load and rewards."""

from __future__ import annotations

from typing import Protocol

from provider_router.domain.decisions.service_state import SystemState


class StateBoard(Protocol):
    """Puts together the state of all services."""

    def current(self, org_id: str) -> SystemState:
        """The state, with the rewards that `org_id` gave.

        The same object while nothing that matters changed. A breaker that opened or closed shows at once, measurements
        within a second. Never raises, never blocks.
        """
        ...
