"""Puts the registry's snapshots together: the files' contracts, with an organisation's own beside them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime

from provider_router.domain.contracts.configuration import Configuration
from provider_router.domain.contracts.contract import Contract
from provider_router.domain.contracts.contract_document import registry_digest
from provider_router.domain.contracts.dialect import UNSERVED_BY_DIALECT, dialect_traits
from provider_router.domain.contracts.field_names import written_text
from provider_router.domain.contracts.organisation_bounds import excesses_of
from provider_router.domain.contracts.service import RegistrySnapshot, Service, Suspended


@dataclass(frozen=True, slots=True)
class FilesState:
    """The operator's files in force.

    Attributes:
        configuration: What they say.
        version: Their SHA-256, hexadecimal; empty when none was ever good.
    """

    configuration: Configuration
    version: str = ""


def snapshot_of(
    files: FilesState, own: Mapping[str, Contract], version: int, change_time: datetime
) -> RegistrySnapshot:
    """The registry as an organisation sees it that registered `own`.

    A contract of the files wins over a registered one of its name. One that cannot be served as the files are is
    suspended: it is kept, and comes back with its provider.
    """
    configuration, today = files.configuration, change_time.date()
    suspended = {
        name: Suspended(contract, reason)
        for name, contract in own.items()
        if (reason := _obstacle(contract, configuration, today))
    }
    used = {name: contract for name, contract in own.items() if name not in suspended} | dict(configuration.contracts)
    services = {name: _service(used[name], configuration) for name in sorted(used)}
    return RegistrySnapshot(
        services=services,
        providers=configuration.providers,
        chat_chain=configuration.chat_chain,
        embed_model=configuration.embed_model,
        version=version,
        digest=registry_digest(service.contract for service in services.values()),
        config_version=files.version,
        suspended=suspended,
        change_time=change_time,
    )


def together(views: Iterable[RegistrySnapshot], files_alone: RegistrySnapshot) -> RegistrySnapshot:
    """Every service of every view in one snapshot; `files_alone` itself where no view has more."""
    services = {name: service for view in views for name, service in view.services.items()}
    services |= files_alone.services
    if len(services) == len(files_alone.services):
        return files_alone
    ordered = {name: services[name] for name in sorted(services)}
    digest = registry_digest(service.contract for service in ordered.values())
    return replace(files_alone, services=ordered, digest=digest, suspended={})


def _service(contract: Contract, configuration: Configuration) -> Service:
    provider = configuration.providers[contract.provider]
    traits = dialect_traits(provider.type, contract.traits)
    return Service(replace(contract, needs_auth=provider.needs_key, traits=traits), provider)


def _obstacle(contract: Contract, configuration: Configuration, today: date) -> str:
    """Why a registered contract cannot be used; empty when it can."""
    if contract.name in configuration.contracts:
        return "A contract of that name stands in the configuration's files and is used instead."
    provider = configuration.providers.get(contract.provider)
    if provider is None:
        return f"The provider '{contract.provider}' is not configured any more."
    if UNSERVED_BY_DIALECT[provider.type] & contract.capabilities.operations:
        return f"The provider '{contract.provider}' speaks another dialect now, which does not serve all of it."
    excess = next(iter(excesses_of(contract, configuration, today)), None)
    return f"Its {written_text(excess.path)} {excess.description}." if excess else ""
