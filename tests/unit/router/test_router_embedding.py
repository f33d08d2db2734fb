from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from router_fakes import FakeCatalog, FakeEmbeddingModel, FakeModelSource, catalog_of, model_spec

from provider_router.domain.embedding import unit_vectors
from provider_router.use_cases.embed_texts import EmbedTexts
from shared.errors import InvalidInput, NexusError, PreconditionFailed, UpstreamDown

NUMBER = st.floats(-1e6, 1e6).filter(lambda value: value == 0 or abs(value) > 1e-6)
VECTORS = st.integers(1, 8).flatmap(
    lambda size: st.lists(st.lists(NUMBER, min_size=size, max_size=size).filter(any), min_size=1, max_size=5)
)


@given(VECTORS)
def test_vectors_keep_their_direction_and_get_unit_length(vectors: list[list[float]]) -> None:
    for before, after in zip(vectors, unit_vectors(vectors, len(vectors), 0), strict=True):
        assert math.isclose(math.hypot(*after), 1.0, rel_tol=1e-9)
        scale = math.hypot(*before)
        assert all(math.isclose(a * scale, b, rel_tol=1e-9, abs_tol=1e-9) for a, b in zip(after, before, strict=True))


@pytest.mark.parametrize(
    ("vectors", "count", "dimensions"),
    [
        ([[1.0]], 2, 0),
        ([], 1, 0),
        ([[1.0], [1.0]], 1, 0),
        ([[1.0, 2.0], [1.0]], 2, 0),
        ([[1.0, 2.0]], 1, 3),
        ([[]], 1, 0),
        ([[0.0, 0.0]], 1, 0),
        ([[math.nan, 1.0]], 1, 0),
        ([[math.inf, 1.0]], 1, 0),
    ],
)
def test_what_is_not_asked_for_is_refused(vectors: list[list[float]], count: int, dimensions: int) -> None:
    with pytest.raises(UpstreamDown) as caught:
        unit_vectors(vectors, count, dimensions)
    assert caught.value.reason == "PROVIDER_BAD_RESPONSE"


CHAT = model_spec("one/chat")
EMBED = model_spec("one/embed", chat=False, embeddings=True)
OTHER = model_spec("two/embed", chat=False, embeddings=True)


def embedder(embed: str = "one/embed", **models: FakeEmbeddingModel) -> EmbedTexts:
    source = FakeModelSource(embed=models or {"one/embed": FakeEmbeddingModel(), "two/embed": FakeEmbeddingModel()})
    return EmbedTexts(FakeCatalog(catalog_of(CHAT, EMBED, OTHER, embed=embed)), source)


@pytest.mark.parametrize(("asked", "used"), [("", "one/embed"), ("two/embed", "two/embed")])
async def test_one_model_embeds(asked: str, used: str) -> None:
    embedded = await embedder()(asked, ["a", "b"])
    assert embedded.model == used
    assert len(embedded.embeddings.vectors) == 2


@pytest.mark.parametrize(
    ("configured", "asked", "kind", "reason"),
    [
        ("", "", PreconditionFailed, "NO_MODEL_CONFIGURED"),
        ("one/embed", "one/chat", InvalidInput, "UNSUPPORTED_CAPABILITY"),
        ("one/embed", "x/y", InvalidInput, "MODEL_UNKNOWN"),
    ],
)
async def test_models_that_cannot_be_had(configured: str, asked: str, kind: type[NexusError], reason: str) -> None:
    with pytest.raises(kind) as caught:
        await embedder(configured)(asked, ["a"])
    assert caught.value.reason == reason


async def test_another_model_is_never_used_instead() -> None:
    failing = FakeEmbeddingModel(UpstreamDown("PROVIDER_UNREACHABLE", "x"))
    source = {"one/embed": failing, "two/embed": FakeEmbeddingModel()}
    with pytest.raises(UpstreamDown):
        await embedder(**source)("", ["a"])
