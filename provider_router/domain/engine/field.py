"""Step 1, field state: the services that an organisation's request can be about, and the tier that it is decided by."""

from __future__ import annotations

from provider_router.domain.contracts.contract import Contract
from provider_router.domain.contracts.service import RegistrySnapshot
from provider_router.domain.decisions.route_request import RouteRequest
from provider_router.domain.errors import Reason, failure
from provider_router.domain.rulebook.rules import RuleSet, Tier


def visible(registry: RegistrySnapshot, org_id: str) -> list[Contract]:
    """The contracts that `org_id` may know of, by name: its own, and those of nobody in particular."""
    contracts = (service.contract for service in registry.services.values())
    return sorted((each for each in contracts if each.org_id in ("", org_id)), key=lambda contract: contract.name)


def tier_of(rules: RuleSet, request: RouteRequest) -> Tier:
    """The tier that `request` is decided by.

    Raises:
        InvalidInput: TIER_UNKNOWN.
    """
    tier = rules.tiers.get(request.tier or rules.default_tier)
    if tier is None:
        names = ", ".join(rules.tiers)
        raise failure(Reason.TIER_UNKNOWN, f"There is no tier '{request.tier}'. There are: {names}.")
    return tier
