"""Turns `providers.yaml` and the shipped contracts into a configuration, or says where they are wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from provider_router.adapters.yaml_file.contract_reader import Catalogue, family_of, read_catalogue
from provider_router.adapters.yaml_file.model_reader import ModelPlace, read_model
from provider_router.adapters.yaml_file.provider_schema import (
    AnthropicSection,
    LocalSection,
    OpenAICompatibleSection,
    OpenAIResponsesSection,
    ProvidersFile,
)
from provider_router.adapters.yaml_file.source_file import SourceFile
from provider_router.adapters.yaml_file.validated import validated
from provider_router.domain.contracts.configuration import Configuration
from provider_router.domain.contracts.contract import Contract, Operation
from provider_router.domain.contracts.provider import Deployment, ProviderSpec, ProviderType, RateLimit

ONLY_DEPLOYMENT = "default"
"""The name of the deployment of a provider that lists none."""

_RemoteSection = OpenAICompatibleSection | AnthropicSection | OpenAIResponsesSection
_Section = LocalSection | _RemoteSection


@dataclass(frozen=True, slots=True)
class LocalAddresses:
    """Base URLs of the local models, which the settings know and the file does not."""

    chat_url: str
    embed_url: str


class ConfigurationReader:
    """Reads the whole set: the providers file and the files of shipped contracts beside it.

    Args:
        providers_file: The name of the first.
        local: Addresses of the local models.
    """

    def __init__(self, providers_file: str, local: LocalAddresses) -> None:
        self._providers_file = providers_file
        self._local = local
        # A catalogue is read again only when its file changed, and kept while its file is there.
        self._read: dict[SourceFile, Catalogue] = {}

    def __call__(self, sources: Mapping[str, SourceFile]) -> Configuration:
        """The configuration.

        Raises:
            RefusedFileError: With the file, the line and the reason.
        """
        source = sources[self._providers_file]
        catalogues = self._catalogues([each for name, each in sources.items() if name != self._providers_file])
        file = validated(source, ProvidersFile)
        with source.blamed():
            providers = {name: self._provider(name, section) for name, section in file.providers.items()}
            contracts = _contracts(file, providers, catalogues, source)
            _check_chains(file, contracts, source)
        return Configuration(providers, contracts, tuple(file.chains.chat), file.chains.embed or "")

    def _catalogues(self, sources: list[SourceFile]) -> dict[str, Catalogue]:
        self._read = {source: self._read.get(source) or read_catalogue(source) for source in sources}
        return {family_of(source): catalogue for source, catalogue in self._read.items()}

    def _provider(self, name: str, section: _Section) -> ProviderSpec:
        limit = RateLimit(section.requests_per_minute, section.tokens_per_minute)
        if isinstance(section, LocalSection):
            place = Deployment(
                ONLY_DEPLOYMENT, self._local.chat_url, self._local.embed_url, max_in_flight=section.max_in_flight
            )
            return ProviderSpec(
                name, ProviderType.LOCAL, (place,), rate_limit=limit, probe=section.probe, is_private=True
            )
        provider = ProviderSpec(
            name,
            ProviderType(section.type),
            _deployments(section),
            rate_limit=limit,
            probe=section.probe,
            is_private=section.network == "private",
        )
        if isinstance(section, OpenAICompatibleSection):
            return replace(provider, max_tokens_parameter=section.max_tokens_parameter)
        return provider


def read_configuration(content: bytes, local: LocalAddresses) -> Configuration:
    """Reads the content of a providers file that builds upon no shipped contract.

    Raises:
        RefusedFileError: With the line and the reason.
    """
    name = "providers.yaml"
    return ConfigurationReader(name, local)({name: SourceFile(name, content)})


def _deployments(section: _RemoteSection) -> tuple[Deployment, ...]:
    if section.deployments is not None:
        return tuple(
            Deployment(
                name=each.name,
                chat_url=each.base_url,
                embed_url=each.base_url,
                key_envs=tuple(each.api_key_envs),
                weight=each.weight,
                max_in_flight=each.max_in_flight,
                rate_limit=RateLimit(each.requests_per_minute, each.tokens_per_minute),
            )
            for each in section.deployments
        )
    url = section.address if isinstance(section, AnthropicSection) else section.base_url or ""
    keys = (section.api_key_env,) if section.api_key_env else tuple(section.api_key_envs or ())
    return (Deployment(ONLY_DEPLOYMENT, url, url, keys, max_in_flight=section.max_in_flight),)


def _contracts(
    file: ProvidersFile,
    providers: Mapping[str, ProviderSpec],
    catalogues: Mapping[str, Catalogue],
    source: SourceFile,
) -> dict[str, Contract]:
    contracts: dict[str, Contract] = {}
    for name, section in file.providers.items():
        catalogue = None
        if section.catalog is not None:
            catalogue = catalogues.get(section.catalog)
            if catalogue is None:
                known = ", ".join(sorted(catalogues)) or "none"
                message = f"there is no file contracts/{section.catalog}.yaml; there are: {known}"
                raise source.located.wrong(("providers", name, "catalog"), message)
        for index, data in enumerate(section.models):
            place = ModelPlace(source, ("providers", name, "models", index), providers[name], catalogue)
            contract = read_model(place, data)
            if contract.name in contracts:
                raise source.located.wrong(place.where, f"the model '{contract.name}' stands twice")
            contracts[contract.name] = contract
    return contracts


def _check_chains(file: ProvidersFile, contracts: Mapping[str, Contract], source: SourceFile) -> None:
    for index, name in enumerate(file.chains.chat):
        reason = ""
        if name not in contracts:
            reason = f"there is no model '{name}' above"
        elif Operation.CHAT not in contracts[name].capabilities.operations:
            reason = f"the model '{name}' does not say `chat: true`"
        elif name in file.chains.chat[:index]:
            reason = f"the model '{name}' stands twice"
        if reason:
            raise source.located.wrong(("chains", "chat", index), reason)
    embed = file.chains.embed
    if embed is not None and not _embeds(contracts.get(embed)):
        reason = f"there is no model '{embed}' with `embeddings: true` above"
        raise source.located.wrong(("chains", "embed"), reason)


def _embeds(contract: Contract | None) -> bool:
    return contract is not None and Operation.EMBED in contract.capabilities.operations
