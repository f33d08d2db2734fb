"""The configured providers and models, as one immutable snapshot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from provider_router.domain.chat import ChatRequest
from provider_router.domain.errors import Reason, failure
from provider_router.domain.usage import Prices

_LISTED_MODELS = 20


class ProviderType(StrEnum):
    """The dialect that a provider speaks."""

    LOCAL = "local"
    OPENAI_COMPATIBLE = "openai_compatible"
    ANTHROPIC = "anthropic"


@dataclass(frozen=True, slots=True)
class ProviderSpec:
    """A provider as it is configured.

    Attributes:
        name: Unique.
        type: Its dialect.
        chat_url: Base URL of chats, without credentials.
        embed_url: Base URL of embeddings, without credentials.
        api_key_env: Environment variable that holds its key; empty for none.
        max_tokens_parameter: What its API calls the limit of generated tokens.
    """

    name: str
    type: ProviderType
    chat_url: str
    embed_url: str
    api_key_env: str = ""
    max_tokens_parameter: str = "max_tokens"


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A model as it is configured.

    Attributes:
        provider: Who has it.
        name: What the provider calls it.
        chat: Whether it completes chats.
        embeddings: Whether it makes embeddings.
        tool_calling: Whether it calls tools natively.
        json_schema: Whether its answers can be bound to a JSON Schema.
        context_length: Tokens of context; 0 when unknown.
        max_output_tokens: Most tokens that it may generate, whatever the caller asks; 0 for no limit of ours.
        dimensions: Length of its embeddings; 0 when unknown.
        prices: What it costs.
        demonstration: Whether it ships with Nexus as a demonstration.
    """

    provider: ProviderSpec
    name: str
    chat: bool = False
    embeddings: bool = False
    tool_calling: bool = False
    json_schema: bool = True
    context_length: int = 0
    max_output_tokens: int = 0
    dimensions: int = 0
    prices: Prices = field(default_factory=Prices)
    demonstration: bool = False

    @property
    def full_name(self) -> str:
        """`provider/model`."""
        return f"{self.provider.name}/{self.name}"

    def output_limit(self, asked: int | None) -> int:
        """Returns the smaller of what the caller asks and what the model may generate; 0 when neither says."""
        return min((limit for limit in (asked, self.max_output_tokens) if limit), default=0)

    def check_fits(self, request: ChatRequest) -> None:
        """Checks that the model can do what `request` asks for.

        Raises:
            InvalidInput: UNSUPPORTED_CAPABILITY.
        """
        lacking = "calling tools" if request.tools and not self.tool_calling else ""
        if request.response_schema is not None and not self.json_schema:
            lacking = "answers that follow a JSON Schema"
        if lacking:
            raise failure(
                Reason.UNSUPPORTED_CAPABILITY,
                f"The model '{self.full_name}' does not support {lacking}.",
                metadata={"model": self.full_name},
            )


@dataclass(frozen=True, slots=True)
class Catalog:
    """The providers and models of one configuration.

    Attributes:
        providers: By name, in the configuration's order.
        models: By `provider/model`, in the configuration's order.
        chat_chain: `provider/model` names, tried in order when the caller names no model.
        embed_model: `provider/model` for embeddings; empty for none. There is no chain of these: vectors of
            different models cannot be compared.
    """

    providers: Mapping[str, ProviderSpec] = field(default_factory=dict[str, ProviderSpec])
    models: Mapping[str, ModelSpec] = field(default_factory=dict[str, ModelSpec])
    chat_chain: tuple[str, ...] = ()
    embed_model: str = ""

    def chat_models(self, name: str) -> tuple[ModelSpec, ...]:
        """The models to try for a chat, in order: the one that is named, or the chain.

        Raises:
            InvalidInput: MODEL_UNKNOWN, UNSUPPORTED_CAPABILITY.
            PreconditionFailed: NO_MODEL_CONFIGURED.
        """
        if name:
            return (self._named(name, "chat"),)
        if not self.chat_chain:
            raise _none_configured("chat")
        return tuple(self.models[link] for link in self.chat_chain)

    def embedding_model(self, name: str) -> ModelSpec:
        """The model for embeddings: the one that is named, or the configured one.

        Raises:
            InvalidInput: MODEL_UNKNOWN, UNSUPPORTED_CAPABILITY.
            PreconditionFailed: NO_MODEL_CONFIGURED.
        """
        if name:
            return self._named(name, "embeddings")
        if not self.embed_model:
            raise _none_configured("embed")
        return self.models[self.embed_model]

    def listed(self) -> tuple[ModelSpec, ...]:
        """All models: the chat chain first, in its order, then the others in the configuration's order."""
        chain = [self.models[name] for name in self.chat_chain]
        return (*chain, *(model for name, model in self.models.items() if name not in self.chat_chain))

    def _named(self, name: str, operation: str) -> ModelSpec:
        model = self.models.get(name)
        if model is None:
            known = ", ".join(list(self.models)[:_LISTED_MODELS]) or "none"
            raise failure(
                Reason.MODEL_UNKNOWN,
                f"There is no model '{name}'. Configured: {known}.",
                metadata={"model": name},
            )
        if not (model.chat if operation == "chat" else model.embeddings):
            raise failure(
                Reason.UNSUPPORTED_CAPABILITY,
                f"The model '{name}' does not support {operation}.",
                metadata={"model": name},
            )
        return model


def _none_configured(chain: str) -> Exception:
    return failure(
        Reason.NO_MODEL_CONFIGURED,
        f"No model is configured for `chains.{chain}` in the providers file; add one, or name a model.",
    )


@dataclass(frozen=True, slots=True)
class CatalogSnapshot:
    """The catalog in force and where it came from. A call works on one snapshot from start to end.

    Attributes:
        catalog: What is configured.
        version: SHA-256 of the file in force, hexadecimal; empty when none was ever good.
        error: Why the newest file was refused, with its line; empty when it is in force.
    """

    catalog: Catalog
    version: str = ""
    error: str = ""
