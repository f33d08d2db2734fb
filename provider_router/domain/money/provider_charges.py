"""What one attempt takes of the rate limits of its provider, its deployment and its service."""

from __future__ import annotations

from provider_router.domain.contracts.provider import Deployment
from provider_router.domain.contracts.service import Service
from provider_router.domain.money.budget import Scope
from provider_router.domain.money.rate import Bucket, Charge, Unit


def provider_charges(service: Service, deployment: Deployment, tokens: int) -> tuple[Charge, ...]:
    """The charges of one call of `service` at `deployment` with `tokens` tokens; none without a limit."""
    provider, constraints = service.provider, service.contract.constraints
    limits = (
        (Scope.PROVIDER, provider.name, provider.rate_limit.requests_per_minute, provider.rate_limit.tokens_per_minute),
        (
            Scope.DEPLOYMENT,
            f"{provider.name}/{deployment.name}",
            deployment.rate_limit.requests_per_minute,
            deployment.rate_limit.tokens_per_minute,
        ),
        # A service's own limit is one of its provider's; no provider has a slash in its name.
        (Scope.PROVIDER, _of_own(service), constraints.requests_per_minute, constraints.tokens_per_minute),
    )
    charges: list[Charge] = []
    for scope, subject, requests_per_minute, tokens_per_minute in limits:
        if requests_per_minute:
            charges.append(Charge(Bucket(scope, subject, Unit.REQUESTS, requests_per_minute), 1))
        if tokens_per_minute and tokens:
            charges.append(Charge(Bucket(scope, subject, Unit.TOKENS, tokens_per_minute), tokens))
    return tuple(charges)


def _of_own(service: Service) -> str:
    """The subject of a service's own limit: two organisations that registered one name share none."""
    org_id = service.contract.org_id
    return f"{service.name} of {org_id}" if org_id else service.name


def unused(charges: tuple[Charge, ...], charged_tokens: int, used_tokens: int) -> tuple[Charge, ...]:
    """What to give back of `charges` when `used_tokens` were used; negative amounts where that is more.

    A request that was made counts, whatever became of it.
    """
    difference = charged_tokens - used_tokens
    if not difference:
        return ()
    return tuple(Charge(charge.bucket, difference) for charge in charges if charge.bucket.unit is Unit.TOKENS)
