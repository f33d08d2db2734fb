"""A call with its decision: what the router needs to carry it out."""

from __future__ import annotations

from collections.abc import Mapping

from provider_router.domain.contracts.service import Service
from provider_router.domain.decisions.call_entry import CallEntry
from provider_router.domain.decisions.decision import Decision
from shared.value import value


@value
class Routed:
    """A decision that is to be carried out.

    Attributes:
        entry: What is to be written down before that.
        services: By name, of the snapshot that was decided on. It does not change while the call runs.
    """

    entry: CallEntry
    services: Mapping[str, Service]

    @property
    def decision_id(self) -> str:
        """Under which the decision is in the log."""
        return self.entry.decision_id

    @property
    def decision(self) -> Decision:
        """Which services to call, and how."""
        return self.entry.decision
