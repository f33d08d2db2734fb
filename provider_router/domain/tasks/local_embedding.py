"""Which embedding model may see texts before it was decided who may see them."""

from __future__ import annotations

from provider_router.domain.contracts.contract import DataClass, Operation
from provider_router.domain.contracts.service import RegistrySnapshot, Service


def local_embedding_service(registry: RegistrySnapshot) -> Service | None:
    """The configured embedding model where it may see everything, else the first by name that may; None without one.

    It must run on the operator's machines, be cleared for every class of data, and be of every organisation: a
    contract that one organisation registered says nothing about where the texts of others may go.
    """
    configured = registry.services.get(registry.embed_model)
    others = (registry.services[name] for name in sorted(registry.services))
    return next((service for service in (configured, *others) if service and may_see_everything(service)), None)


def may_see_everything(service: Service) -> bool:
    """Whether `service` embeds on the operator's machines, for all, whatever the text holds."""
    contract = service.contract
    return (
        service.does(Operation.EMBED)
        and contract.privacy.on_premises
        and contract.privacy.clearance is DataClass.RESTRICTED
        and not contract.org_id
    )
