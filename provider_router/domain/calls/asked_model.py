"""What a caller's `model` means."""

from __future__ import annotations

from collections.abc import Sequence

from provider_router.domain.contracts.contract import Operation
from provider_router.domain.contracts.service import RegistrySnapshot, Service
from shared.value import value

AUTO = "auto"
"""Names no model and asks for free choice, where an empty name would follow the operator's chain."""


@value
class AskedModel:
    """What to choose among. At most one field is set; none for free choice.

    Attributes:
        model: One model, `provider/model`, or a name that no model has.
        provider: All models of a provider.
        chain: The operator's chain.
    """

    model: str = ""
    provider: str = ""
    chain: tuple[str, ...] = ()


def asked_model(name: str, tier: str, chat_chain: Sequence[str]) -> AskedModel:
    """Reads `provider/model`, `provider/`, `auto`, or nothing.

    The operator's chain is followed by those who ask for nothing at all: a tier is a wish that a fixed order would
    ignore.
    """
    if name == AUTO:
        return AskedModel()
    if name.endswith("/") and name.count("/") == 1:
        return AskedModel(provider=name[:-1])
    if name:
        return AskedModel(model=name)
    return AskedModel() if tier else AskedModel(chain=tuple(chat_chain))


def likeliest_service(asked: AskedModel, registry: RegistrySnapshot) -> Service | None:
    """The named service, the first of the chain, or the first that chats; None when nothing chats."""
    for name in (asked.model, *asked.chain):
        if name in registry.services:
            return registry.services[name]
    chats = (service for service in registry.services.values() if service.does(Operation.CHAT))
    return next((service for service in chats if asked.provider in ("", service.provider.name)), None)
