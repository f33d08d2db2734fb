"""What the names of models mean that callers write: one model, all of a provider, a tier, or any."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from provider_router.domain.calls.asked_model import AUTO
from provider_router.domain.contracts.contract import Operation
from provider_router.domain.contracts.service import RegistrySnapshot
from provider_router.domain.errors import Reason, failure
from provider_router.ports.rule_book import RuleBook
from provider_router.ports.service_registry import ServiceRegistry
from shared.errors import NexusError

PREFIX = "nexus/"
"""Of names that leave the choice to Nexus: `nexus/auto`, `nexus/<tier>`. A provider of that name keeps its models."""
_LISTED = 20
_KEPT = 256


@dataclass(frozen=True, slots=True)
class Named:
    """What a name asks for, as `RoutingOptions` has it."""

    model: str = ""
    tier: str = ""


class ModelNames:
    """Reads names against an organisation's registry and rules."""

    def __init__(self, registry: ServiceRegistry, rules: RuleBook) -> None:
        self._registry = registry
        self._rules = rules
        self._found: dict[tuple[str, str, Operation], tuple[RegistrySnapshot, str]] = {}

    def chat(self, org_id: str, name: str) -> Named:
        """What `name` asks of a chat.

        Raises:
            InvalidInput: MODEL_UNKNOWN: there is none, or several providers have one.
        """
        registry = self._registry.current(org_id)
        if name in registry.services:
            return Named(name)
        if name.removeprefix(PREFIX) == AUTO:
            return Named(AUTO)
        if name.startswith(PREFIX) and name.removeprefix(PREFIX) in self._rules.of(org_id).tiers:
            return Named(tier=name.removeprefix(PREFIX))
        if name.endswith("/") and name[:-1] in registry.providers:
            return Named(name)
        return Named(self._bare(org_id, registry, name, Operation.CHAT))

    def embedding(self, org_id: str, name: str) -> tuple[str, int]:
        """The model that `name` asks for vectors, and how long these are; 0 where that is unknown.

        Raises:
            InvalidInput: As `chat`.
            PreconditionFailed: NO_MODEL_CONFIGURED.
        """
        registry = self._registry.current(org_id)
        if name.removeprefix(PREFIX) == AUTO and name not in registry.services:
            service = registry.embedding_service("")
        else:
            found = name if name in registry.services else self._bare(org_id, registry, name, Operation.EMBED)
            service = registry.embedding_service(found)
        return service.name, service.contract.capabilities.dimensions

    def choices(self, org_id: str) -> list[str]:
        """The names that leave the choice to Nexus."""
        return [f"{PREFIX}{each}" for each in (AUTO, *self._rules.of(org_id).tiers)]

    def _bare(self, org_id: str, registry: RegistrySnapshot, name: str, operation: Operation) -> str:
        """The one service whose provider calls its model `name`."""
        key = (org_id, name, operation)
        snapshot, found = self._found.get(key, (None, ""))
        if snapshot is registry:
            return found
        candidates = [each.name for each in registry.services.values() if each.model == name and each.does(operation)]
        if len(candidates) != 1:
            raise self._ambiguous(name, candidates) if candidates else self._unknown(org_id, name, registry, operation)
        if len(self._found) >= _KEPT:
            self._found.clear()
        self._found[key] = (registry, candidates[0])
        return candidates[0]

    def _ambiguous(self, name: str, candidates: list[str]) -> NexusError:
        return failure(
            Reason.MODEL_UNKNOWN,
            f"Several providers have a model '{name}': name one of {_listed(candidates)}.",
            metadata={"model": name},
        )

    def _unknown(self, org_id: str, name: str, registry: RegistrySnapshot, operation: Operation) -> NexusError:
        known = [each.name for each in registry.listed() if each.does(operation)]
        free = self.choices(org_id) if operation is Operation.CHAT else [f"{PREFIX}{AUTO}"]
        choices = _listed([*free, *known])
        return failure(
            Reason.MODEL_UNKNOWN, f"There is no model '{name}'. There are: {choices}.", metadata={"model": name}
        )


def _listed(names: Iterable[str]) -> str:
    every = list(names)
    more = f" and {len(every) - _LISTED} more" if len(every) > _LISTED else ""
    return ", ".join(every[:_LISTED]) + more
