"""Fakes of the router's ports and builders of its domain types."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field

from provider_router.domain.catalog import Catalog, CatalogSnapshot, ModelSpec, ProviderSpec, ProviderType
from provider_router.domain.chat import ChatRequest, FinishReason, Message, Role
from provider_router.domain.embedding import Embeddings
from provider_router.domain.errors import Reason, failure
from provider_router.domain.events import Finished, ModelEvent, TextDelta
from provider_router.domain.usage import TokenUsage

HELLO = (TextDelta("Hel"), TextDelta("lo"), Finished(FinishReason.STOP, TokenUsage(10, 2)))
QUESTION = ChatRequest((Message(Role.USER, "Hi"),))


def provider_spec(name: str = "one", **changes: object) -> ProviderSpec:
    fields = {
        "type": ProviderType.OPENAI_COMPATIBLE,
        "chat_url": f"http://{name}.test/v1",
        "embed_url": f"http://{name}.test/v1",
    }
    return ProviderSpec(name, **{**fields, **changes})


def model_spec(name: str = "one/m", **changes: object) -> ModelSpec:
    provider, _, model = name.partition("/")
    return ModelSpec(**{"provider": provider_spec(provider), "name": model, "chat": True, **changes})


def catalog_of(*models: ModelSpec, chain: Sequence[str] | None = None, embed: str = "") -> Catalog:
    chat_chain = [model.full_name for model in models if model.chat] if chain is None else chain
    return Catalog(
        providers={model.provider.name: model.provider for model in models},
        models={model.full_name: model for model in models},
        chat_chain=tuple(chat_chain),
        embed_model=embed,
    )


class FakeCatalog:
    def __init__(self, catalog: Catalog, version: str = "v1", error: str = "") -> None:
        self.snapshot = CatalogSnapshot(catalog, version, error)

    def current(self) -> CatalogSnapshot:
        return self.snapshot


@dataclass
class FakeChatModel:
    """Streams `events`; an exception among them is raised, `...` hangs for ever."""

    events: Sequence[object] = HELLO
    asked: list[ChatRequest] = field(default_factory=list)
    open_streams: int = 0

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ModelEvent, None]:
        self.asked.append(request)
        self.open_streams += 1
        try:
            for event in self.events:
                if isinstance(event, Exception):
                    raise event
                if event is ...:
                    await asyncio.Event().wait()
                yield event
        finally:
            self.open_streams -= 1


@dataclass
class FakeEmbeddingModel:
    error: Exception | None = None

    async def embed(self, texts: Sequence[str]) -> Embeddings:
        if self.error is not None:
            raise self.error
        return Embeddings(tuple((0.6, 0.8) for _ in texts), TokenUsage(len(texts)))


class FakeModelSource:
    """Has the models that it was given, by full name; the others lack their key."""

    def __init__(
        self, chat: dict[str, FakeChatModel] | None = None, embed: dict[str, FakeEmbeddingModel] | None = None
    ) -> None:
        self.chat = chat or {}
        self.embed = embed or {}

    def chat_model(self, spec: ModelSpec) -> FakeChatModel:
        return self._of(self.chat, spec)

    def embedding_model(self, spec: ModelSpec) -> FakeEmbeddingModel:
        return self._of(self.embed, spec)

    def is_configured(self, provider: ProviderSpec) -> bool:
        return any(name.startswith(f"{provider.name}/") for name in [*self.chat, *self.embed])

    def _of(self, models, spec):
        if spec.full_name not in models:
            raise failure(Reason.PROVIDER_NOT_CONFIGURED, f"The provider '{spec.provider.name}' needs a key.")
        return models[spec.full_name]
