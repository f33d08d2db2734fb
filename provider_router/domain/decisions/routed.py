"""A call with its decision: what the router needs to carry it out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from provider_router.domain.contracts.service import Service
from provider_router.domain.decisions.decision import Decision


@dataclass(frozen=True, slots=True)
class Routed:
    """A decision that was written down.

    Attributes:
        decision_id: Under which it is in the log.
        decision: Which services to call, and how.
        services: By name, of the snapshot that was decided on. It does not change while the call runs.
    """

    decision_id: str
    decision: Decision
    services: Mapping[str, Service]
