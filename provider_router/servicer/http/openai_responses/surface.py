"""The surface of OpenAI's Responses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from provider_router.domain.calls.answer import Answer
from provider_router.servicer.http.openai_chat.errors import error_body
from provider_router.servicer.http.openai_responses.output_items import cut_short, has_refused, items_of
from provider_router.servicer.http.openai_responses.request import response_wanted
from provider_router.servicer.http.openai_responses.response import begun, ended
from provider_router.servicer.http.openai_responses.stream import ResponseStream
from provider_router.servicer.http.surface import StreamEncoder, Wanted, told_model
from shared.clock import Clock
from shared.errors import NexusError
from shared.ids import IdSource


class ResponsesSurface:
    """Implements `Surface` for responses."""

    def __init__(self, clock: Clock, new_id: IdSource) -> None:
        self._clock = clock
        self._new_id = new_id

    def read(self, fields: Mapping[str, Any], headers: Mapping[str, str]) -> Wanted:
        """See `Surface.read`; the dialect has no headers that change what is asked."""
        del headers
        return response_wanted(fields)

    def whole(self, wanted: Wanted, answer: Answer) -> bytes:
        """See `Surface.whole`."""
        response = self._begun(wanted)
        why = cut_short(answer.finish_reason, refused=has_refused(answer.message.parts))
        output = items_of(answer, response["id"])
        return orjson.dumps(ended(response, told_model(answer.model), output, why, answer.usage))

    def stream(self, wanted: Wanted) -> StreamEncoder:
        """See `Surface.stream`."""
        return ResponseStream(self._begun(wanted))

    def error(self, error: NexusError, request_id: str) -> tuple[int, bytes]:
        """See `Surface.error`; the request's id is told in a header, as OpenAI does."""
        del request_id
        return error_body(error)

    def _begun(self, wanted: Wanted) -> dict[str, Any]:
        body = wanted.request.body
        response_id = "resp_" + self._new_id().replace("-", "")
        return begun(body.fields if body else {}, response_id, int(self._clock.now().timestamp()))
