"""Embeds with models that speak the OpenAI dialect, the local one included."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from provider_router.adapters.http.call import HttpCall
from provider_router.adapters.http.client import HttpClient
from provider_router.adapters.http.faults import fault, unreadable
from provider_router.adapters.http.json_fields import (
    MalformedAnswerError,
    as_count,
    as_list,
    as_object,
    parsed_object,
)
from provider_router.adapters.openai.usage import embedding_usage_of
from provider_router.domain.calls.embedding import Embeddings, unit_vectors
from provider_router.domain.contracts.provider import Target
from provider_router.domain.contracts.service import Service
from provider_router.domain.errors import Reason
from shared.errors import NexusError

_NUMBERS = frozenset[type]({float, int})
_AT_ONCE = 128


class OpenAIEmbeddingModel:
    """Implements `EmbeddingModel`. `key` is sent as bearer token; empty for none."""

    def __init__(self, client: HttpClient, service: Service, target: Target, key: str) -> None:
        self._client = client
        self._service = service
        self._url = f"{target.deployment.embed_url}/embeddings"
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}

    async def embed(self, texts: Sequence[str]) -> Embeddings:
        """Returns one vector of unit length a text, in the order of the texts."""
        provider, is_private = self._service.provider.name, self._service.provider.is_private
        body = orjson.dumps({"model": self._service.model, "input": list(texts), "encoding_format": "float"})
        call = HttpCall(provider, self._url, self._headers, body, is_private)
        try:
            answer = parsed_object(await self._client.whole(call))
            vectors = _in_order([as_object(item) for item in as_list(answer.get("data"))])
            usage = embedding_usage_of(answer.get("usage"))
        except NexusError:
            raise
        except MalformedAnswerError as error:
            raise fault(provider, Reason.PROVIDER_BAD_RESPONSE, detail=str(error)) from error
        except Exception as error:
            raise unreadable(provider, error) from error
        return Embeddings(
            await _unit_vectors(vectors, len(texts), self._service.contract.capabilities.dimensions), usage
        )


async def _unit_vectors(
    vectors: Sequence[Sequence[float]], count: int, dimensions: int
) -> tuple[tuple[float, ...], ...]:
    """See `unit_vectors`. Lets others work between some and the next, since there may be millions of numbers."""
    if len(vectors) != count or count <= _AT_ONCE:
        return unit_vectors(vectors, count, dimensions)
    length = dimensions or len(vectors[0])
    unit: list[tuple[float, ...]] = []
    for start in range(0, count, _AT_ONCE):
        await asyncio.sleep(0)
        some = vectors[start : start + _AT_ONCE]
        unit += unit_vectors(some, len(some), length)
    return tuple(unit)


def _in_order(items: Sequence[Mapping[str, Any]]) -> list[Sequence[float]]:
    by_index = {as_count(item.get("index")): _vector(item.get("embedding")) for item in items}
    if sorted(by_index) != list(range(len(items))):
        raise MalformedAnswerError("its vectors are not numbered")
    return [by_index[index] for index in range(len(items))]


def _vector(value: Any) -> Sequence[float]:
    numbers = as_list(value)
    if not _NUMBERS.issuperset(map(type, numbers)):
        raise MalformedAnswerError("a vector is no list of numbers")
    return numbers
