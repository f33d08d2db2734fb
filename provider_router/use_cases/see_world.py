"""Takes the world as it is: services, rules and state, all of one moment."""

from __future__ import annotations

from provider_router.domain.decisions.world import World
from provider_router.ports.rule_book import RuleBook
from provider_router.ports.service_registry import ServiceRegistry
from provider_router.ports.state_board import StateBoard


class SeeWorld:
    """Puts a `World` together; reads memory alone."""

    def __init__(self, registry: ServiceRegistry, rules: RuleBook, board: StateBoard) -> None:
        self._registry = registry
        self._rules = rules
        self._board = board

    def __call__(self, org_id: str) -> World:
        """The world as `org_id` sees it now. Never raises."""
        return World(self._registry.current(org_id), self._rules.of(org_id), self._board.current(org_id))
