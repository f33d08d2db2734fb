"""The tool `knowledge_search`: what it tells, and how much of it."""

from __future__ import annotations

import json

import pytest
from knowledge_fakes import MemoryKnowledgeStore
from tools_fakes import FakeEmbedder, call_context

from shared.testing.harness import principal
from tool_executor.adapters.tool_checked import CheckedTool
from tool_executor.adapters.tool_knowledge_search import KnowledgeSearchTool
from tool_executor.domain.knowledge import Deposit, Passage
from tool_executor.domain.tool_call import ToolFailure
from tool_executor.use_cases.embed_knowledge import EmbedKnowledge
from tool_executor.use_cases.put_passages import PutPassages
from tool_executor.use_cases.search_passages import SearchPassages


async def tool_with(*deposits: Deposit, output_limit_bytes: int = 65_536) -> CheckedTool:
    store, embed = MemoryKnowledgeStore(most_passages=99), EmbedKnowledge(FakeEmbedder())
    for each in deposits:
        await PutPassages(store, embed)(principal(), each)
    return CheckedTool(KnowledgeSearchTool(SearchPassages(store, embed), output_limit_bytes=output_limit_bytes))


async def test_passages_are_told_with_their_source() -> None:
    tool = await tool_with(
        Deposit("book", [Passage("Cats sleep.", "Animals", "https://a.example/"), Passage("Cars rust.")])
    )
    output = await tool.run({"query": "cats sleep", "limit": 1}, call_context())
    assert output.summary == "[1] book, Animals:\nCats sleep."
    found = {"text": "Cats sleep.", "source": "book", "title": "Animals", "url": "https://a.example/", "score": 0.8165}
    assert output.value == {"passages": [found]}


async def test_an_empty_store_says_how_to_fill_it() -> None:
    output = await (await tool_with()).run({"query": "cats"}, call_context())
    assert (output.value, "nexus knowledge put" in output.summary) == ({"passages": []}, True)


async def test_a_source_that_is_not_there_and_anothers_knowledge_are_nothing() -> None:
    tool = await tool_with(Deposit("book", [Passage("Cats sleep.")]))
    output = await tool.run({"query": "cats", "source": "film"}, call_context())
    assert (output.value, output.summary) == ({"passages": []}, "There is no source 'film', or nothing in it.")
    theirs = await tool.run({"query": "cats"}, call_context(principal=principal(org_id="org-b")))
    assert theirs.value == {"passages": []}


async def test_what_does_not_fit_is_left_out_and_counted() -> None:
    long = [Passage(f"cats {number} {'x' * 1990}") for number in range(20)]
    tool = await tool_with(Deposit("book", long), output_limit_bytes=10_000)
    output = await tool.run({"query": "cats", "limit": 20}, call_context())
    passages = output.value["passages"]
    assert isinstance(passages, list)
    assert len(passages) == 4
    assert len(json.dumps(output.value)) <= 10_000
    assert "16 more did not fit" in output.summary
    assert len(output.summary) < 8_000


@pytest.mark.parametrize("wrong", [{"query": " "}, {"query": "a", "limit": 21}, {"query": "a", "limit": 0}, {}])
async def test_arguments_that_do_not_fit_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ToolFailure, match="ARGUMENTS_INVALID"):
        await (await tool_with()).run(wrong, call_context())
