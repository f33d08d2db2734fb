"""Tools are found by what is wanted of them."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest
from tools_fakes import ECHO, FakeEmbedder

from shared.errors import InvalidInput, UpstreamDown
from tool_executor.adapters.tool_index_embedding import EmbeddingToolIndex
from tool_executor.domain.tool_definition import ToolDefinition


def tool(name: str, description: str, *examples: str) -> ToolDefinition:
    return dataclasses.replace(ECHO, name=name, description=description, examples=examples)


WEATHER = tool("weather", "Tells the weather of a city.", "Will it rain in Paris tomorrow?")
MAIL = tool("send_mail", "Sends a mail to a person.", "Write to Anna", "Tell the team by mail")
SUMS = tool("calculator", "Computes sums.")
TOOLS = [MAIL, SUMS, WEATHER]


async def test_the_nearest_text_decides_and_the_best_come_first() -> None:
    index = EmbeddingToolIndex(FakeEmbedder())
    found = await index.nearest("will it rain in paris tomorrow", TOOLS, 2)
    assert [match.tool for match in found] == ["weather", found[1].tool]
    assert found[0].score == pytest.approx(1.0, abs=1e-5)
    assert found[1].score < 0.5
    assert [match.tool for match in await index.nearest("write a mail", TOOLS, 1)] == ["send_mail"]
    assert await index.nearest("anything", [], 5) == []


async def test_vectors_are_made_once_for_each_definition_and_model() -> None:
    embedder = FakeEmbedder()
    index = EmbeddingToolIndex(embedder)
    await asyncio.gather(*(index.nearest("rain", TOOLS, 3) for _ in range(3)))
    assert len(embedder.asked) == 3 + 6
    await index.nearest("rain", [WEATHER], 3)
    assert len(embedder.asked) == 10
    await index.nearest("rain", [dataclasses.replace(WEATHER, description="Rain or sun.")], 3)
    assert len(embedder.asked) == 13
    embedder.model = "other/words"
    await index.nearest("rain", [WEATHER], 3)
    assert len(embedder.asked) == 16


async def test_a_search_that_fails_on_the_way_leaves_less_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    embedder, whole = FakeEmbedder(), FakeEmbedder.embed
    index = EmbeddingToolIndex(embedder)
    many = [tool(f"tool_{number}", f"Does thing {number}.") for number in range(100)]

    async def fails_late(self: FakeEmbedder, texts: list[str], model: str = "") -> object:
        if len(self.asked) > 50:
            raise UpstreamDown("UNREACHABLE", "The router does not answer.")
        return await whole(self, texts, model)

    monkeypatch.setattr(FakeEmbedder, "embed", fails_late)
    with pytest.raises(UpstreamDown):
        await index.nearest("thing", many, 3)
    monkeypatch.undo()
    made = len(embedder.asked) - 1
    assert 50 <= made < 100
    assert len(await index.nearest("thing", many, 100)) == 100
    assert len(embedder.asked) == 1 + 100 + 1


async def test_a_search_waits_for_no_other_ones_tools() -> None:
    embedder, go = FakeEmbedder(), asyncio.Event()
    index, whole = EmbeddingToolIndex(embedder), embedder.embed

    async def slow_for_mail(texts: list[str], model: str = "") -> object:
        if texts[0].startswith("send mail"):
            await go.wait()
        return await whole(texts, model)

    embedder.embed = slow_for_mail  # type: ignore[method-assign, assignment]
    slow = asyncio.create_task(index.nearest("mail", [MAIL], 1))
    await asyncio.sleep(0)
    assert [match.tool for match in await index.nearest("rain", [WEATHER], 1)] == ["weather"]
    go.set()
    assert [match.tool for match in await slow] == ["send_mail"]


async def test_no_embedder_is_an_error_and_no_guess() -> None:
    embedder = FakeEmbedder()
    index = EmbeddingToolIndex(embedder)
    await index.nearest("rain", TOOLS, 3)
    embedder.error = UpstreamDown("UNREACHABLE", "The router does not answer.")
    with pytest.raises(UpstreamDown):
        await index.nearest("rain", TOOLS, 3)


async def test_what_is_kept_is_bounded() -> None:
    embedder = FakeEmbedder()
    each = FakeEmbedder.DIMENSIONS * 4
    index = EmbeddingToolIndex(embedder, most_bytes=4 * each)
    many = [tool(f"tool_{number}", f"Does thing {number}.") for number in range(20)]
    assert len(await index.nearest("thing", many, 50)) == 20
    assert index._bytes == sum(vectors.nbytes for vectors in index._kept.values()) == 4 * each
    before = len(embedder.asked)
    await index.nearest("thing", many[-4:], 50)
    assert len(embedder.asked) == before + 1


async def test_what_the_model_has_no_room_for_is_shortened_and_nothing_else_is() -> None:
    embedder = FakeEmbedder()
    embedder.most_chars = 200
    index = EmbeddingToolIndex(embedder)
    rainy = tool("rainy", "Knows nothing. " + "rain " * 180)
    found = await index.nearest("will it rain in paris tomorrow " + "? " * 400, [*TOOLS, rainy, MAIL], 2)
    assert [match.tool for match in found] == ["weather", "rainy"]
    assert found[0].score == pytest.approx(1.0, abs=1e-5)
    assert set(MAIL.examples) | set(WEATHER.examples) <= set(embedder.asked)
    assert sum(text.startswith("rainy:") for text in embedder.asked) == 1
    embedder.most_chars = 2
    with pytest.raises(InvalidInput, match="CONTEXT_TOO_LONG"):
        await index.nearest("rain", TOOLS, 1)
