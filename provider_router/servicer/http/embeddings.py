"""Serves embeddings."""

from __future__ import annotations

from dataclasses import dataclass

from provider_router.servicer.caller import caller_of
from provider_router.servicer.http.answer_headers import embedding_headers
from provider_router.servicer.http.model_names import ModelNames
from provider_router.servicer.http.openai_chat.embeddings import embeddings_body, embeddings_wanted
from provider_router.servicer.http.request_body import read_object
from provider_router.servicer.http.routing_headers import handling
from provider_router.servicer.http.visit import Visit
from provider_router.use_cases.embed_texts import EmbedTexts


@dataclass(frozen=True, slots=True)
class ServeEmbeddings:
    """Serves a visit to `/v1/embeddings`.

    Attributes:
        embed: Makes the vectors.
        names: Of models.
        body_bytes: Most that a body may have.
    """

    embed: EmbedTexts
    names: ModelNames
    body_bytes: int

    async def __call__(self, visit: Visit) -> None:
        """Answers.

        Raises:
            NexusError: What is wrong with the request, or why there are no vectors.
        """
        wanted = embeddings_wanted(await read_object(visit.request, self.body_bytes))
        routed = handling(visit.request.headers)
        caller = caller_of(visit.who())
        model, dimensions = self.names.embedding(caller.org_id, wanted.model)
        # Before it costs anything.
        wanted.check_dimensions(dimensions)
        embedded = await self.embed(caller, model, wanted.texts, routed)
        visit.send(embeddings_body(wanted, embedded), embedding_headers(embedded))
