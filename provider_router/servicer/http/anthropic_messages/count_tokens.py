"""Serves counts of tokens."""

from __future__ import annotations

from dataclasses import dataclass

import orjson

from provider_router.domain.calls.chat_call import ChatCall
from provider_router.servicer.caller import caller_of
from provider_router.servicer.http.anthropic_messages.request import read_request
from provider_router.servicer.http.model_names import ModelNames
from provider_router.servicer.http.request_body import read_object
from provider_router.servicer.http.routing_headers import routing_options
from provider_router.servicer.http.visit import Visit
from provider_router.use_cases.count_tokens import CountTokens


@dataclass(frozen=True, slots=True)
class ServeTokenCounts:
    """Serves a visit to `/v1/messages/count_tokens`.

    What it tells is the router's own estimate, which errs upwards: no provider is asked.

    Attributes:
        count: Counts.
        names: Of models.
        body_bytes: Most that a body may have.
    """

    count: CountTokens
    names: ModelNames
    body_bytes: int

    async def __call__(self, visit: Visit) -> None:
        """Answers.

        Raises:
            NexusError: What is wrong with the request.
        """
        headers = visit.request.headers
        wanted = read_request(await read_object(visit.request, self.body_bytes), headers, limited=False)
        caller = caller_of(visit.who())
        named = self.names.chat(caller.org_id, wanted.model)
        options = routing_options(headers, named.model, named.tier)
        visit.send(orjson.dumps({"input_tokens": self.count(ChatCall(caller, wanted.request, options))}))
