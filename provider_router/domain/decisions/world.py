"""Everything that a decision depends on besides the request and the clock."""

from __future__ import annotations

from dataclasses import dataclass

from provider_router.domain.contracts.service import RegistrySnapshot
from provider_router.domain.decisions.service_state import SystemState
from provider_router.domain.rulebook.rules import RuleSet


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """One moment of the mesh, as one organisation sees it. Nothing in it ever changes.

    Attributes:
        registry: The services.
        rules: The platform's rules, with those of the organisation over them.
        state: How the services are.
    """

    registry: RegistrySnapshot
    rules: RuleSet
    state: SystemState
