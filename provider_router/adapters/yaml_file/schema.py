"""The form of `providers.yaml`. Unknown fields are refused: a misspelt one must not be ignored."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

_MICRO = 1_000_000


def _base_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be a http or https address")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("must hold no credentials, query or fragment; keys come from api_key_env")
    return value.rstrip("/")


def _whole_micro_units(value: Decimal) -> Decimal:
    if value * _MICRO != int(value * _MICRO):
        raise ValueError("must have at most 6 decimals")
    return value


ProviderName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
ModelName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,126}$")]
BaseUrl = Annotated[str, StringConstraints(max_length=512), AfterValidator(_base_url)]
UsdPerMillion = Annotated[Decimal, Field(ge=0, le=100_000), AfterValidator(_whole_micro_units)]
VariableName = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]{0,126}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PriceSection(_Strict):
    """US dollars per million tokens, as decimals with at most 6 places; `cached_input` defaults to `input`."""

    input: UsdPerMillion
    output: UsdPerMillion = Decimal(0)
    cached_input: UsdPerMillion | None = None


class ModelSection(_Strict):
    """A model of a provider. It completes chats, makes embeddings, or both."""

    name: ModelName
    chat: bool = False
    embeddings: bool = False
    tool_calling: bool = False
    json_schema: bool = True
    context_length: int = Field(default=0, ge=0, le=100_000_000)
    max_output_tokens: int = Field(default=0, ge=0, le=10_000_000)
    dimensions: int = Field(default=0, ge=0, le=100_000)
    usd_per_million_tokens: PriceSection | None = None
    demonstration: bool = False

    @model_validator(mode="after")
    def _does_something(self) -> Self:
        if not (self.chat or self.embeddings):
            raise ValueError("needs `chat: true` or `embeddings: true`")
        return self


class LocalSection(_Strict):
    """The models that run on this machine; their addresses and key come from the router's settings."""

    type: Literal["local"]
    models: list[ModelSection] = Field(min_length=1)


class OpenAICompatibleSection(_Strict):
    """A provider that speaks the OpenAI dialect; `base_url` usually ends with `/v1`."""

    type: Literal["openai_compatible"]
    base_url: BaseUrl
    api_key_env: VariableName | None = None
    max_tokens_parameter: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    models: list[ModelSection] = Field(min_length=1)


class AnthropicSection(_Strict):
    """A provider that speaks the Anthropic dialect; it has no embeddings."""

    type: Literal["anthropic"]
    base_url: BaseUrl = "https://api.anthropic.com"
    api_key_env: VariableName | None = None
    models: list[ModelSection] = Field(min_length=1)


ProviderSection = Annotated[LocalSection | OpenAICompatibleSection | AnthropicSection, Field(discriminator="type")]


class ChainsSection(_Strict):
    """What is used when the caller names no model, as `provider/model`."""

    chat: list[str] = Field(default_factory=list[str], max_length=16)
    embed: str | None = None


class ProvidersFile(_Strict):
    """The whole file. Providers keep the order in which they stand."""

    version: Literal[1]
    providers: dict[ProviderName, ProviderSection]
    chains: ChainsSection = ChainsSection()
