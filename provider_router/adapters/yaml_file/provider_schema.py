"""The form of `providers.yaml`. Unknown fields are refused: a misspelt one must not be ignored."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from provider_router.adapters.yaml_file.scalars import MicroUsd, ModelName, ProviderName, Strict

_ANTHROPIC_URL = "https://api.anthropic.com"


def _base_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be a http or https address")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("must hold no credentials, query or fragment; keys come from api_key_env")
    return value.rstrip("/")


BaseUrl = Annotated[str, StringConstraints(max_length=512), AfterValidator(_base_url)]
VariableName = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]{0,126}$")]
PerMinute = Annotated[int, Field(ge=0, le=4_000_000_000)]
InFlight = Annotated[int, Field(ge=0, le=100_000)]


class PriceSection(Strict):
    """US dollars per million tokens, always in force; `cached_input` defaults to `input`. Chats need `output`."""

    input: MicroUsd
    output: MicroUsd | None = None
    cached_input: MicroUsd | None = None


class ModelSection(Strict):
    """A model of a provider: what it builds upon, and what is different here.

    `contract` names the model of the catalogue whose contract it takes, where that has another name. The flat fields
    are short for those of the same name in `capabilities`, and for one price. Whatever stands in a section of the
    contract's form replaces that field alone; lists are replaced whole.
    """

    name: ModelName
    contract: ModelName | None = None
    chat: bool | None = None
    embeddings: bool | None = None
    tool_calling: bool | None = None
    json_schema: bool | None = None
    context_length: int | None = Field(default=None, ge=0, le=100_000_000)
    max_output_tokens: int | None = Field(default=None, ge=0, le=10_000_000)
    dimensions: int | None = Field(default=None, ge=0, le=100_000)
    usd_per_million_tokens: PriceSection | None = None
    demonstration: bool | None = None
    owner: str | None = None
    tags: list[str] | None = None
    capabilities: dict[str, Any] | None = None
    guarantees: dict[str, Any] | None = None
    constraints: dict[str, Any] | None = None
    privacy: dict[str, Any] | None = None
    prices: list[Any] | None = None
    quality: dict[str, Any] | None = None
    traits: dict[str, Any] | None = None


class DeploymentSection(Strict):
    """One place where a provider's models are served; calls are spread over them by `weight`."""

    name: ProviderName
    base_url: BaseUrl
    api_key_envs: list[VariableName] = Field(default_factory=list[str], max_length=32)
    weight: int = Field(default=1, ge=1, le=1000)
    max_in_flight: InFlight = 0
    requests_per_minute: PerMinute = 0
    tokens_per_minute: PerMinute = 0


class _ProviderSection(Strict):
    """What every provider has.

    `catalog` names the file of shipped contracts that its models build upon. With `probe: false` the router never
    asks for the list of models to see whether the provider is there.
    """

    catalog: ProviderName | None = None
    probe: bool = True
    requests_per_minute: PerMinute = 0
    tokens_per_minute: PerMinute = 0
    models: list[Any] = Field(min_length=1, max_length=2000)


class LocalSection(_ProviderSection):
    """The models that run on this machine; their addresses and key come from the router's settings."""

    type: Literal["local"]
    max_in_flight: InFlight = 0


class _RemoteSection(_ProviderSection):
    """A provider elsewhere: at one `base_url`, or at several deployments.

    `network: private` allows its host's name to lead to private and loopback addresses.
    """

    base_url: BaseUrl | None = None
    api_key_env: VariableName | None = None
    api_key_envs: list[VariableName] | None = Field(default=None, max_length=32)
    network: Literal["public", "private"] = "public"
    max_in_flight: InFlight = 0
    deployments: list[DeploymentSection] | None = Field(default=None, min_length=1, max_length=64)

    @model_validator(mode="after")
    def _stands_once(self) -> Self:
        if self.deployments is not None and (self.base_url or self.api_key_env or self.api_key_envs):
            raise ValueError("has `deployments`, so base_url and keys belong there")
        if self.deployments is not None and self.max_in_flight:
            raise ValueError("has `deployments`, so max_in_flight belongs there")
        if self.api_key_env and self.api_key_envs:
            raise ValueError("has both api_key_env and api_key_envs")
        names = [deployment.name for deployment in self.deployments or ()]
        if len(set(names)) < len(names):
            raise ValueError("has two deployments of one name")
        return self


class OpenAICompatibleSection(_RemoteSection):
    """A provider that speaks the OpenAI dialect; `base_url` usually ends with `/v1`."""

    type: Literal["openai_compatible"]
    max_tokens_parameter: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"

    @model_validator(mode="after")
    def _has_an_address(self) -> Self:
        if self.base_url is None and self.deployments is None:
            raise ValueError("needs `base_url` or `deployments`")
        return self


class AnthropicSection(_RemoteSection):
    """A provider that speaks the Anthropic dialect, by default the official one; it has no embeddings."""

    type: Literal["anthropic"]

    @property
    def address(self) -> str:
        """Where its only deployment is."""
        return self.base_url or _ANTHROPIC_URL


class OpenAIResponsesSection(_RemoteSection):
    """A provider that speaks the dialect of OpenAI's Responses; `base_url` usually ends with `/v1`."""

    type: Literal["openai_responses"]

    @model_validator(mode="after")
    def _has_an_address(self) -> Self:
        if self.base_url is None and self.deployments is None:
            raise ValueError("needs `base_url` or `deployments`")
        return self


ProviderSection = Annotated[
    LocalSection | OpenAICompatibleSection | AnthropicSection | OpenAIResponsesSection, Field(discriminator="type")
]


class ChainsSection(Strict):
    """What is used when the caller names no model, as `provider/model`."""

    chat: list[str] = Field(default_factory=list[str], max_length=16)
    embed: str | None = None


class ProvidersFile(Strict):
    """The whole file. Providers keep the order in which they stand."""

    version: Literal[1]
    providers: dict[ProviderName, ProviderSection]
    chains: ChainsSection = ChainsSection()
