"""What the names of models mean that callers write: one model, all of a provider, a tier, or any."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from provider_router.domain.calls.asked_model import AUTO
from provider_router.domain.contracts.contract import Operation
from provider_router.domain.contracts.service import RegistrySnapshot
from provider_router.domain.errors import Reason, failure
from provider_router.ports.rule_book import RuleBook
from provider_router.ports.service_registry import ServiceRegistry
from shared.errors import NexusError
from shared.net.address_rules import names_private_place

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

    def is_at_home(self, org_id: str, name: str) -> bool:
        """Whether what is called `name`, of `RoutingOptions.model`, is declared to be in the operator's own network."""
        registry = self._registry.current(org_id)
        service = registry.services.get(name)
        provider = service.provider if service else registry.providers.get(name.removesuffix("/"))
        if provider is None:
            return False
        hosts = [urlsplit(each.chat_url).hostname or "" for each in provider.deployments]
        return provider.is_private or all(names_private_place(host) for host in hosts)

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
            f"Several providers have a model '{name}': name one of {listed_names(candidates)}.",
            metadata={"model": name},
        )

    def _unknown(self, org_id: str, name: str, registry: RegistrySnapshot, operation: Operation) -> NexusError:
        known = [each.name for each in registry.listed() if each.does(operation)]
        every = self.choices(org_id)
        free = every if operation is Operation.CHAT else [f"{PREFIX}{AUTO}"]
        why = f"'{name}' is for chats alone" if name in every else f"There is no model '{name}'"
        return failure(
            Reason.MODEL_UNKNOWN, f"{why}. There are: {listed_names([*free, *known])}.", metadata={"model": name}
        )


def unlisted(name: str, names: Iterable[str]) -> NexusError:
    """The error for a model that is not among `names`, for the caller to raise."""
    return failure(
        Reason.MODEL_UNKNOWN,
        f"There is no model '{name[:256]}'. There are: {listed_names(names)}. `GET /v1/models` lists all.",
        metadata={"model": name[:256]},
    )


def listed_names(names: Iterable[str]) -> str:
    """Some of `names`, for the message of an error."""
    every = list(names)
    more = f" and {len(every) - _LISTED} more" if len(every) > _LISTED else ""
    return ", ".join(every[:_LISTED]) + more
