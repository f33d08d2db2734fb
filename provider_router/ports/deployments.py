"""The deployments of the services: who may be called now, and what was seen of them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from provider_router.domain.contracts.provider import Target
from provider_router.domain.contracts.service import RegistrySnapshot, Service
from provider_router.domain.traffic.deployment_status import DeploymentStatus
from provider_router.domain.traffic.lease import CallReport, Lease, Unavailable


class Deployments(Protocol):
    """Balances calls over deployments and keys. Every lease is released exactly once. In process; nothing blocks."""

    def acquire(self, service: Service, tried: Collection[Target] = ()) -> Lease | Unavailable:
        """Lends a place at the best deployment, with one of its usable keys; those of `tried` last."""
        ...

    def release(self, lease: Lease, report: CallReport) -> None:
        """Takes the place back, and learns from the report."""
        ...

    def statuses(self, snapshot: RegistrySnapshot) -> Sequence[DeploymentStatus]:
        """Every model at every deployment, in the order of the providers."""
        ...
