"""How providers are, as calls and probes showed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from provider_router.domain.contracts.provider import ProviderSpec
from provider_router.domain.errors import Reason
from provider_router.domain.traffic.deployment_status import DeploymentStatus
from shared.circuit_breaker import Breaker

_NEVER = datetime.min.replace(tzinfo=UTC)


class ProviderState(StrEnum):
    """How a provider is."""

    UNKNOWN = "unknown"
    AVAILABLE = "available"
    FAILING = "failing"
    NOT_CONFIGURED = "not_configured"


@dataclass(frozen=True, slots=True)
class ProviderReport:
    """A provider and how it is.

    Attributes:
        provider: As it is configured.
        state: How it is.
        models: Its models as `provider/model`, by name.
        deployments: Its models at its deployments.
    """

    provider: ProviderSpec
    state: ProviderState
    models: tuple[str, ...]
    deployments: tuple[DeploymentStatus, ...]

    @property
    def last(self) -> DeploymentStatus | None:
        """Where the last call went, or before the first one the last probe; None before both."""
        return latest(self.deployments)


def state_of(statuses: Sequence[DeploymentStatus]) -> ProviderState:
    """How the provider is that has `statuses`.

    Not configured when every key is missing; unknown while there was neither call nor probe; available when the last
    call of some deployment worked (before the first one: its probe), or a probe was answered since it failed, its
    breaker is not open and a key of it is in use; else failing.
    """
    if statuses and all(0 < status.configured_keys == status.missing_keys for status in statuses):
        return ProviderState.NOT_CONFIGURED
    names = {status.deployment for status in statuses}
    lasts = [latest(status for status in statuses if status.deployment == name) for name in names]
    seen = [last for last in lasts if last is not None]
    if not seen:
        return ProviderState.UNKNOWN
    return ProviderState.AVAILABLE if any(_works(last) for last in seen) else ProviderState.FAILING


def refuses_key(statuses: Sequence[DeploymentStatus]) -> bool:
    """Whether the provider that has `statuses` fails for the key that it was sent, as its last call or probe showed."""
    last = latest(statuses)
    refused = last is not None and last.last_error_reason == Reason.PROVIDER_REFUSED_KEY
    return refused and state_of(statuses) is ProviderState.FAILING


def by_provider(statuses: Iterable[DeploymentStatus]) -> Mapping[str, Sequence[DeploymentStatus]]:
    """The statuses of each provider that has any."""
    found: dict[str, list[DeploymentStatus]] = {}
    for status in statuses:
        found.setdefault(status.service.partition("/")[0], []).append(status)
    return found


def latest(statuses: Iterable[DeploymentStatus]) -> DeploymentStatus | None:
    """The one of `statuses` that was called last, or that was probed; None where neither was done."""
    seen = [status for status in statuses if status.called_time is not None or status.is_probed]
    return max(seen, key=lambda status: status.called_time or _NEVER, default=None)


def _works(status: DeploymentStatus) -> bool:
    has_key = status.usable_keys > 0 or status.configured_keys == 0
    is_well = status.seems_back or not status.last_error_reason
    return is_well and has_key and status.breaker is not Breaker.OPEN
