"""KnowledgeService over a real server: every RPC, with every reason it can end with."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable
from contextlib import asynccontextmanager

import pytest
from knowledge_fakes import MOST, MemoryKnowledgeStore
from tools_fakes import FakeEmbedder

from protos.gen.nexus.knowledge.v1 import knowledge_pb2 as pb
from protos.gen.nexus.knowledge.v1 import knowledge_pb2_grpc
from shared.client import translated_errors
from shared.errors import Forbidden, InvalidInput, NexusError, PreconditionFailed, QuotaExceeded, Unauthenticated
from shared.server import Registration, Service
from shared.testing.harness import Served, principal, serving
from tool_executor.servicer.knowledge_servicer import KnowledgeServicer, KnowledgeUseCases
from tool_executor.use_cases.embed_knowledge import EmbedKnowledge
from tool_executor.use_cases.put_passages import PutPassages
from tool_executor.use_cases.search_passages import SearchPassages

Stub = knowledge_pb2_grpc.KnowledgeServiceStub


@asynccontextmanager
async def mesh() -> AsyncGenerator[tuple[Served, Stub, FakeEmbedder]]:
    store, embedder = MemoryKnowledgeStore(), FakeEmbedder()
    embed = EmbedKnowledge(embedder)
    knowledge = KnowledgeUseCases(PutPassages(store, embed), SearchPassages(store, embed), store)
    registration = Registration(
        knowledge_pb2_grpc.add_KnowledgeServiceServicer_to_server,
        KnowledgeServicer(knowledge),
        pb.DESCRIPTOR.services_by_name["KnowledgeService"],
    )
    async with serving(Service("tools", [registration])) as served:
        yield served, Stub(served.channel), embedder


def put(source: str, *texts: str, replace: bool = False) -> pb.PutPassagesRequest:
    return pb.PutPassagesRequest(source=source, passages=[pb.Passage(text=text) for text in texts], replace=replace)


async def refused(kind: type[NexusError], reason: str, call: Awaitable[object]) -> None:
    with pytest.raises(kind, match=reason):
        async with translated_errors("tools"):
            await call


async def test_passages_are_put_found_listed_and_removed() -> None:
    async with mesh() as (_, stub, _):
        assert (await stub.SearchPassages(pb.SearchPassagesRequest(query="cat"))).passages == []
        cat = pb.Passage(text="The cat sleeps.", title="Animals", url="https://a.example/cat")
        done = await stub.PutPassages(pb.PutPassagesRequest(source="zoo", passages=[cat], request_id="r"))
        assert (done.new_passages, done.source_passages) == (1, 1)
        await stub.PutPassages(put("zoo", "Tigers hunt at night.", "Fish swim."))
        await stub.PutPassages(put("law", "A cat needs no licence, and nobody asks for one."))
        first, *others = (await stub.SearchPassages(pb.SearchPassagesRequest(query="the cat sleeps"))).passages
        assert (first.passage, first.source, len(others)) == (cat, "zoo", 3)
        assert others[0].score < first.score < 1
        (only,) = (await stub.SearchPassages(pb.SearchPassagesRequest(query="cat", limit=9, source="law"))).passages
        assert only.source == "law"
        page = await stub.ListSources(pb.ListSourcesRequest(page_size=1))
        assert [(each.name, each.passages) for each in page.sources] == [("law", 1)]
        rest = await stub.ListSources(pb.ListSourcesRequest(page_token=page.next_page_token))
        assert [(each.name, each.passages, rest.next_page_token) for each in rest.sources] == [("zoo", 3, "")]
        assert rest.sources[0].update_time.seconds > 0
        replaced = await stub.PutPassages(put("zoo", "Fish swim.", replace=True))
        assert (replaced.new_passages, replaced.source_passages) == (0, 1)
        assert (await stub.RemoveSource(pb.RemoveSourceRequest(source="zoo"))).removed_passages == 1
        assert (await stub.RemoveSource(pb.RemoveSourceRequest(source="zoo"))).removed_passages == 0


async def test_the_title_counts_in_what_a_passage_means() -> None:
    async with mesh() as (_, stub, _):
        titled = pb.Passage(text="Thirty days a year.", title="Vacation")
        await stub.PutPassages(
            pb.PutPassagesRequest(source="book", passages=[titled, pb.Passage(text="Days of rain.")])
        )
        found = (await stub.SearchPassages(pb.SearchPassagesRequest(query="vacation", limit=1))).passages
        assert found[0].passage == titled


async def test_what_does_not_fit_the_contract_is_refused() -> None:
    async with mesh() as (_, stub, embedder):
        for request in (
            put("book"),
            put("", "a"),
            put("a\nb", "a"),
            put("b" * 201, "a"),
            put("book", " \n"),
            put("book", "a" * 2001),
            put("book", *map(str, range(129))),
            pb.PutPassagesRequest(source="b", passages=[pb.Passage(text="a", url="javascript:alert(1)")]),
            pb.PutPassagesRequest(source="b", passages=[pb.Passage(text="a", title="t" * 201)]),
        ):
            await refused(InvalidInput, ".", stub.PutPassages(request))
        for question in ({"query": " "}, {"query": "a" * 1001}, {"query": "a", "limit": 21}):
            await refused(InvalidInput, ".", stub.SearchPassages(pb.SearchPassagesRequest(**question)))
        await refused(InvalidInput, ".", stub.ListSources(pb.ListSourcesRequest(page_size=501)))
        await refused(InvalidInput, ".", stub.RemoveSource(pb.RemoveSourceRequest()))
        assert embedder.asked == []


async def test_an_organisation_sees_what_is_its_own_and_no_more_than_it_may() -> None:
    async with mesh() as (served, stub, _):
        await stub.PutPassages(put("book", "ours"))
        other = Stub(served.channel_as(principal(org_id="org-b")))
        assert (await other.SearchPassages(pb.SearchPassagesRequest(query="ours"))).passages == []
        assert (await other.ListSources(pb.ListSourcesRequest())).sources == []
        assert (await other.RemoveSource(pb.RemoveSourceRequest(source="book"))).removed_passages == 0
        assert len((await stub.SearchPassages(pb.SearchPassagesRequest(query="ours"))).passages) == 1
        await refused(QuotaExceeded, "KNOWLEDGE_FULL", stub.PutPassages(put("page", *map(str, range(MOST)))))


async def test_permissions_are_asked_for() -> None:
    async with mesh() as (served, _, _):
        reader = Stub(served.channel_as(principal(permissions=("knowledge.read",))))
        await reader.ListSources(pb.ListSourcesRequest())
        await reader.SearchPassages(pb.SearchPassagesRequest(query="a"))
        await refused(Forbidden, ".", reader.PutPassages(put("book", "a")))
        await refused(Forbidden, ".", reader.RemoveSource(pb.RemoveSourceRequest(source="book")))
        nobody = Stub(served.channel_as(None))
        await refused(Unauthenticated, ".", nobody.SearchPassages(pb.SearchPassagesRequest(query="a")))


async def test_what_the_model_has_no_room_for_is_compared_by_its_start() -> None:
    async with mesh() as (_, stub, embedder):
        embedder.most_chars = 300
        await stub.PutPassages(put("book", "cat " * 400, "dog"))
        assert max(map(len, embedder.asked)) <= 300
        first, second = (await stub.SearchPassages(pb.SearchPassagesRequest(query="cat " * 200))).passages
        assert (first.passage.text, first.score > 0.9 > second.score) == ("cat " * 400, True)
        embedder.most_chars = 2
        await refused(InvalidInput, "CONTEXT_TOO_LONG", stub.PutPassages(put("book", "cat " * 400)))


async def test_the_model_of_the_first_put_is_asked_again_and_missed_when_it_is_gone() -> None:
    async with mesh() as (_, stub, embedder):
        await stub.PutPassages(put("book", "a"))
        embedder.model = "another/default"
        await stub.PutPassages(put("page", "b"))
        assert len((await stub.SearchPassages(pb.SearchPassagesRequest(query="a"))).passages) == 2
        embedder.error = InvalidInput("MODEL_UNKNOWN", "There is no model 'local/words'.")
        gone = r"KNOWLEDGE_MODEL_GONE.*'local/words'.*no model.*nexus knowledge remove"
        await refused(PreconditionFailed, gone, stub.SearchPassages(pb.SearchPassagesRequest(query="a")))
        await refused(PreconditionFailed, gone, stub.PutPassages(put("page", "c")))
        embedder.error = QuotaExceeded("BUDGET_EXHAUSTED", "No money is left.")
        await refused(QuotaExceeded, "BUDGET_EXHAUSTED", stub.SearchPassages(pb.SearchPassagesRequest(query="a")))
        for source in ("book", "page"):
            await stub.RemoveSource(pb.RemoveSourceRequest(source=source))
        embedder.error = InvalidInput("MODEL_UNKNOWN", "There is no model.")
        await refused(InvalidInput, "MODEL_UNKNOWN", stub.PutPassages(put("page", "c")))
