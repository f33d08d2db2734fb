"""Contracts beside what was measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from provider_router.domain.contracts.contract import PPM, Contract
from provider_router.domain.decisions.service_state import Measured
from provider_router.domain.traffic.deployment_status import DeploymentStatus


@dataclass(frozen=True, slots=True)
class Observed:
    """What was measured of one service over all its deployments, and the guarantees that the measurements break."""

    measured: Measured = field(default_factory=Measured)
    broken_promises: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ListedContract:
    """A contract as it is shown.

    Attributes:
        contract: What is promised.
        observed: What was measured.
        from_file: Whether it stands in the operator's files.
        suspended_reason: Why it is not in use; empty when it is.
    """

    contract: Contract
    observed: Observed = Observed()
    from_file: bool = False
    suspended_reason: str = ""


def observed_by_service(statuses: Iterable[DeploymentStatus]) -> Mapping[str, Observed]:
    """Puts the deployments of each service together.

    Calls add up and the share of successes is weighted by them. Of the other figures, which cannot be put together
    from parts, that of the deployment with the most calls stands for the service.
    """
    groups: dict[str, list[DeploymentStatus]] = {}
    for status in statuses:
        groups.setdefault(status.service, []).append(status)
    return {service: _together(group) for service, group in groups.items()}


def _together(statuses: list[DeploymentStatus]) -> Observed:
    busiest = max(statuses, key=lambda status: status.measured.calls).measured
    calls = sum(status.measured.calls for status in statuses)
    good = sum(status.measured.calls * status.measured.success_ppm for status in statuses)
    measured = Measured(
        calls=calls,
        success_ppm=good // calls if calls else PPM,
        first_token_p50_ms=busiest.first_token_p50_ms,
        first_token_p95_ms=busiest.first_token_p95_ms,
        tokens_per_second=busiest.tokens_per_second,
    )
    broken = dict.fromkeys(promise for status in statuses for promise in status.broken_promises)
    return Observed(measured, tuple(broken))
