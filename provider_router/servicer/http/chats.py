"""Serves chats in the dialect of any surface."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from provider_router.domain.calls.chat_call import ChatCall
from provider_router.ports.answer_source import AnswerSource
from provider_router.servicer.caller import caller_of
from provider_router.servicer.http.answer_headers import answer_headers
from provider_router.servicer.http.inside import led_inside
from provider_router.servicer.http.model_names import ModelNames
from provider_router.servicer.http.request_body import is_large, read_object
from provider_router.servicer.http.routing_headers import routing_options
from provider_router.servicer.http.streaming import Streaming
from provider_router.servicer.http.visit import Visit
from provider_router.use_cases.complete_chat import CompleteChat


@dataclass(frozen=True, slots=True)
class ServeChats:
    """Serves a visit to `/v1/chat/completions`, `/v1/responses` or `/v1/messages`.

    Attributes:
        complete: Gives whole answers.
        answers: Gives streamed ones.
        names: Of models.
        streaming: Sends streams.
        body_bytes: Most that a body may have.
    """

    complete: CompleteChat
    answers: AnswerSource
    names: ModelNames
    streaming: Streaming
    body_bytes: int

    async def __call__(self, visit: Visit) -> None:
        """Answers.

        Raises:
            NexusError: What is wrong with the request, or why there is no answer.
        """
        headers = visit.request.headers
        wanted = visit.surface.read(await read_object(visit.request, self.body_bytes), headers)
        if is_large(headers):
            await asyncio.sleep(0)
        caller = caller_of(visit.who())
        named = self.names.chat(caller.org_id, wanted.model)
        options = routing_options(headers, named.model, named.tier)
        if wanted.inside and not self.names.is_at_home(caller.org_id, named.model):
            raise led_inside(wanted)
        call = ChatCall(caller, wanted.request, options, wanted.streamed)
        if wanted.streamed:
            await self.streaming(visit, self.answers.stream(call), visit.surface.stream(wanted), options)
            return
        answer = await self.complete(call)
        body = answer.wire or visit.surface.whole(wanted, answer)
        visit.send(body, answer_headers(answer, options))
