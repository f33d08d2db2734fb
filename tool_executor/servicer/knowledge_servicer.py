"""KnowledgeService."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import grpc

from protos.gen.nexus.knowledge.v1 import knowledge_pb2 as pb
from protos.gen.nexus.knowledge.v1 import knowledge_pb2_grpc
from shared.auth.context import current_principal
from tool_executor.domain.knowledge import Deposit, KnowledgeHit, Passage, SourceState
from tool_executor.ports.knowledge_store import KnowledgeStore
from tool_executor.use_cases.put_passages import PutPassages
from tool_executor.use_cases.search_passages import SearchPassages

_Context = grpc.aio.ServicerContext[Any, Any]
_PAGE_SIZE = 100
_LIMIT = 5


@dataclass(frozen=True, slots=True)
class KnowledgeUseCases:
    """What can be done with knowledge."""

    put: PutPassages
    search: SearchPassages
    store: KnowledgeStore


class KnowledgeServicer(knowledge_pb2_grpc.KnowledgeServiceServicer):
    """Serves the knowledge of each caller's organisation."""

    def __init__(self, knowledge: KnowledgeUseCases) -> None:
        self._knowledge = knowledge

    async def PutPassages(self, request: pb.PutPassagesRequest, context: _Context) -> pb.PutPassagesResponse:
        """Put passages under a source."""
        del context
        passages = [Passage(each.text, each.title, each.url) for each in request.passages]
        put = await self._knowledge.put(current_principal(), Deposit(request.source, passages, request.replace))
        return pb.PutPassagesResponse(new_passages=put.new, source_passages=put.of_source)

    async def ListSources(self, request: pb.ListSourcesRequest, context: _Context) -> pb.ListSourcesResponse:
        """Return a page of sources. A page token is the name of the last source before it."""
        del context
        page = await self._knowledge.store.sources(
            current_principal().org_id, after=request.page_token, size=request.page_size or _PAGE_SIZE
        )
        return pb.ListSourcesResponse(sources=[_source(each) for each in page.sources], next_page_token=page.next_after)

    async def RemoveSource(self, request: pb.RemoveSourceRequest, context: _Context) -> pb.RemoveSourceResponse:
        """Remove a source with its passages."""
        del context
        removed = await self._knowledge.store.remove(current_principal().org_id, request.source)
        return pb.RemoveSourceResponse(removed_passages=removed)

    async def SearchPassages(self, request: pb.SearchPassagesRequest, context: _Context) -> pb.SearchPassagesResponse:
        """Find the passages that are nearest to a question."""
        del context
        found = await self._knowledge.search(
            current_principal(), request.query, source=request.source, limit=request.limit or _LIMIT
        )
        return pb.SearchPassagesResponse(passages=[_found(hit) for hit in found.hits])


def _source(source: SourceState) -> pb.Source:
    proto = pb.Source(name=source.name, passages=source.passages)
    proto.update_time.FromDatetime(source.put_at)
    return proto


def _found(hit: KnowledgeHit) -> pb.FoundPassage:
    passage = pb.Passage(text=hit.passage.text, title=hit.passage.title, url=hit.passage.url)
    return pb.FoundPassage(passage=passage, source=hit.source, score=hit.score)
