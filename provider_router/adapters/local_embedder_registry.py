"""Embeds with a registered model of the operator's own machines."""

from __future__ import annotations

from collections.abc import Sequence

from provider_router.domain.contracts.service import RegistrySnapshot, Service
from provider_router.domain.errors import Reason, failure
from provider_router.domain.tasks.local_embedding import local_embedding_service
from provider_router.ports.model_source import ModelSource
from provider_router.ports.service_registry import ServiceRegistry


class RegistryLocalEmbedder:
    """Implements `LocalEmbedder` with the model that the registry has at the moment of the call."""

    def __init__(self, registry: ServiceRegistry, models: ModelSource) -> None:
        self._registry = registry
        self._models = models
        self._seen: RegistrySnapshot | None = None
        self._service: Service | None = None
        self._name = ""

    def model(self) -> str:
        """The model's name, the version of its contract and the length of its vectors."""
        self._look()
        return self._name

    async def embed(self, texts: Sequence[str]) -> tuple[tuple[float, ...], ...]:
        """Returns one vector of unit length a text, in the order of the texts."""
        service = self._look()
        if service is None:
            raise failure(Reason.NO_MODEL_CONFIGURED, "No embedding model of this machine is configured.")
        model = self._models.embedding_model(service, service.provider.targets()[0])
        return (await model.embed(texts)).vectors

    def _look(self) -> Service | None:
        snapshot = self._registry.current()
        if snapshot is not self._seen:
            self._seen, self._service = snapshot, local_embedding_service(snapshot)
            self._name = _name_of(self._service) if self._service else ""
        return self._service


def _name_of(service: Service) -> str:
    contract = service.contract
    return f"{contract.name}@{contract.version}/{contract.capabilities.dimensions}"
