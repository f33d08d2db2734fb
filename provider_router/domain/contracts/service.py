"""Services: contracts bound to the providers that serve them, in immutable snapshots."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from provider_router.domain.contracts.contract import Contract, Operation
from provider_router.domain.contracts.provider import ProviderSpec
from provider_router.domain.errors import Reason, failure

_LISTED_SERVICES = 20
_OPERATION_WORDS = {Operation.CHAT: "chat", Operation.EMBED: "embeddings"}


@dataclass(frozen=True, slots=True)
class Service:
    """A model that can be called: what it promises, and who serves it.

    Attributes:
        contract: What it promises.
        provider: Who serves it.
        name: `provider/model`. This and the next are kept, since every call asks for them many times.
        model: What the provider calls it.
    """

    contract: Contract
    provider: ProviderSpec
    name: str = field(init=False, repr=False, compare=False)
    model: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Takes the names out of the contract."""
        object.__setattr__(self, "name", self.contract.name)
        object.__setattr__(self, "model", self.contract.model)

    def does(self, operation: Operation) -> bool:
        """Whether it does `operation`."""
        return operation in self.contract.capabilities.operations

    def output_limit(self, asked: int | None) -> int:
        """Returns the smaller of what the caller asks and what the model may generate; 0 when neither says."""
        own = self.contract.capabilities.max_output_tokens
        return min(asked, own) if asked and own else asked or own


@dataclass(frozen=True, slots=True)
class Suspended:
    """A registered contract that is not in use, and why: one sentence for people."""

    contract: Contract
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class RegistrySnapshot:
    """The registry as one organisation sees it at one moment.

    A decision, and the call that follows it, work on one snapshot from start to end.

    Attributes:
        services: By name, in the order of their names.
        providers: By name, in the configuration's order; also those without a service.
        chat_chain: `provider/model` names in the operator's order, tried when a caller names neither model nor tier;
            empty to let the decision choose.
        embed_model: `provider/model` for embeddings; empty for none. There is no chain of these: vectors of different
            models cannot be compared.
        version: Counts up with every change, from 1; 0 for the empty registry.
        digest: SHA-256 of the contracts' canonical form, hexadecimal.
        config_version: SHA-256 of the operator's files in force, hexadecimal: of the providers file where it stands
            alone; empty when none was ever good.
        suspended: Registered contracts that are stored and not in use, by name.
        change_time: When the newest change was made, UTC; None for the empty registry.
    """

    services: Mapping[str, Service] = field(default_factory=dict[str, Service])
    providers: Mapping[str, ProviderSpec] = field(default_factory=dict[str, ProviderSpec])
    chat_chain: tuple[str, ...] = ()
    embed_model: str = ""
    version: int = 0
    digest: str = ""
    config_version: str = ""
    suspended: Mapping[str, Suspended] = field(default_factory=dict[str, Suspended])
    change_time: datetime | None = None

    def embedding_service(self, name: str) -> Service:
        """The service for embeddings: the one that is named, or the configured one.

        Raises:
            InvalidInput: MODEL_UNKNOWN, UNSUPPORTED_CAPABILITY.
            PreconditionFailed: NO_MODEL_CONFIGURED.
        """
        if name:
            return self.named(name, Operation.EMBED)
        if not self.embed_model:
            raise failure(
                Reason.NO_MODEL_CONFIGURED,
                "No model is configured for `chains.embed` in the providers file; add one, or name a model.",
            )
        return self.services[self.embed_model]

    def named(self, name: str, operation: Operation) -> Service:
        """The service `name`, which must do `operation`.

        Raises:
            InvalidInput: MODEL_UNKNOWN, UNSUPPORTED_CAPABILITY.
        """
        service = self.services.get(name)
        if service is None:
            known = ", ".join(list(self.services)[:_LISTED_SERVICES]) or "none"
            raise failure(
                Reason.MODEL_UNKNOWN,
                f"There is no model '{name}'. Configured: {known}.",
                metadata={"model": name},
            )
        if not service.does(operation):
            raise failure(
                Reason.UNSUPPORTED_CAPABILITY,
                f"The model '{name}' does not support {_OPERATION_WORDS.get(operation, operation.value)}.",
                metadata={"model": name},
            )
        return service

    def listed(self) -> tuple[Service, ...]:
        """All services: the chat chain first, in its order, then the others by name."""
        chain = [self.services[name] for name in self.chat_chain]
        return (*chain, *(service for name, service in self.services.items() if name not in self.chat_chain))
