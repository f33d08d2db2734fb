"""Turns the text of `providers.yaml` into a catalog, or says where it is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from pydantic import ValidationError

from provider_router.adapters.yaml_file.located_yaml import LocatedYaml, RefusedFileError, parse
from provider_router.adapters.yaml_file.schema import (
    AnthropicSection,
    LocalSection,
    ModelSection,
    OpenAICompatibleSection,
    PriceSection,
    ProvidersFile,
)
from provider_router.domain.catalog import Catalog, ModelSpec, ProviderSpec, ProviderType
from provider_router.domain.usage import Prices

_MICRO = 1_000_000
_MESSAGES: Mapping[str, str] = {
    "extra_forbidden": "there is no such field",
    "missing": "is missing",
    "model_type": "must be a mapping",
    "dict_type": "must be a mapping",
    "model_attributes_type": "must be a mapping",
    "string_pattern_mismatch": "has characters that are not allowed here",
}
_ProviderSection = LocalSection | OpenAICompatibleSection | AnthropicSection


@dataclass(frozen=True, slots=True)
class LocalAddresses:
    """Base URLs of the local models, which the settings know and the file does not."""

    chat_url: str
    embed_url: str


def read_catalog(content: bytes, local: LocalAddresses) -> Catalog:
    """Reads the content of a providers file.

    Raises:
        RefusedFileError: With the line and the reason.
    """
    try:
        located = parse(content.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise RefusedFileError(content[: error.start].count(b"\n") + 1, "is not UTF-8") from error
    try:
        file = ProvidersFile.model_validate(located.data)
    except ValidationError as error:
        raise _refused(located, error.errors(include_input=False, include_url=False)) from error
    providers = {name: _provider(name, section, local) for name, section in file.providers.items()}
    models = _models(file, providers, located)
    _check_chains(file, models, located)
    return Catalog(providers, models, tuple(file.chains.chat), file.chains.embed or "")


def _refused(located: LocatedYaml, problems: Sequence[Mapping[str, Any]]) -> RefusedFileError:
    """The one problem to report: a misspelt field explains why another one is missing, so it goes first."""
    misspelt = [problem for problem in problems if problem["type"] == "extra_forbidden"]
    problem = (misspelt or problems)[0]
    where = [part for part in problem["loc"] if part != "[key]"]
    if len(where) > 2 and where[0] == "providers":
        # Behind the provider's name pydantic puts its type, which is no level of the file.
        del where[2]
    message = _MESSAGES.get(problem["type"]) or str(problem["msg"]).removeprefix("Value error, ")
    return _wrong(located, where, message)


def _wrong(located: LocatedYaml, where: Sequence[str | int], message: str) -> RefusedFileError:
    path = ".".join(str(part) for part in where)
    return RefusedFileError(located.line_of(where), f"{path}: {message}" if path else message)


def _provider(name: str, section: _ProviderSection, local: LocalAddresses) -> ProviderSpec:
    if isinstance(section, LocalSection):
        return ProviderSpec(name, ProviderType.LOCAL, local.chat_url, local.embed_url)
    url, key = section.base_url, section.api_key_env or ""
    if isinstance(section, AnthropicSection):
        return ProviderSpec(name, ProviderType.ANTHROPIC, url, url, key)
    return ProviderSpec(name, ProviderType.OPENAI_COMPATIBLE, url, url, key, section.max_tokens_parameter)


def _models(file: ProvidersFile, providers: Mapping[str, ProviderSpec], located: LocatedYaml) -> dict[str, ModelSpec]:
    models: dict[str, ModelSpec] = {}
    for name, section in file.providers.items():
        for index, model in enumerate(section.models):
            spec = _model(providers[name], model)
            where = ("providers", name, "models", index)
            if spec.full_name in models:
                raise _wrong(located, where, f"the model '{spec.full_name}' stands twice")
            if spec.embeddings and spec.provider.type is ProviderType.ANTHROPIC:
                raise _wrong(located, (*where, "embeddings"), "this type of provider has no embeddings")
            models[spec.full_name] = spec
    return models


def _model(provider: ProviderSpec, section: ModelSection) -> ModelSpec:
    return ModelSpec(
        provider=provider,
        name=section.name,
        chat=section.chat,
        embeddings=section.embeddings,
        tool_calling=section.tool_calling,
        json_schema=section.json_schema,
        context_length=section.context_length,
        max_output_tokens=section.max_output_tokens,
        dimensions=section.dimensions,
        prices=_prices(section.usd_per_million_tokens),
        demonstration=section.demonstration,
    )


def _prices(section: PriceSection | None) -> Prices:
    if section is None:
        return Prices()
    cached = section.cached_input
    return Prices(
        _micro_usd(section.input),
        _micro_usd(section.output),
        _micro_usd(cached) if cached is not None else None,
    )


def _micro_usd(usd: Decimal) -> int:
    return int(usd * _MICRO)


def _check_chains(file: ProvidersFile, models: Mapping[str, ModelSpec], located: LocatedYaml) -> None:
    for index, name in enumerate(file.chains.chat):
        where = ("chains", "chat", index)
        if name not in models:
            raise _wrong(located, where, f"there is no model '{name}' above")
        if not models[name].chat:
            raise _wrong(located, where, f"the model '{name}' does not say `chat: true`")
        if name in file.chains.chat[:index]:
            raise _wrong(located, where, f"the model '{name}' stands twice")
    embed = file.chains.embed
    if embed is not None and (embed not in models or not models[embed].embeddings):
        raise _wrong(located, ("chains", "embed"), f"there is no model '{embed}' with `embeddings: true` above")
