"""The surface of chat completions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from provider_router.domain.calls.answer import Answer
from provider_router.servicer.http.openai_chat.answer import completion_body
from provider_router.servicer.http.openai_chat.errors import error_body
from provider_router.servicer.http.openai_chat.request import chat_wanted
from provider_router.servicer.http.openai_chat.stream import ChunkEncoder
from provider_router.servicer.http.surface import StreamEncoder, Wanted
from shared.clock import Clock
from shared.errors import NexusError
from shared.ids import IdSource


class OpenAIChatSurface:
    """Implements `Surface` for chat completions."""

    def __init__(self, clock: Clock, new_id: IdSource) -> None:
        self._clock = clock
        self._new_id = new_id

    def read(self, fields: Mapping[str, Any], headers: Mapping[str, str]) -> Wanted:
        """See `Surface.read`; the dialect has no headers that change what is asked."""
        del headers
        return chat_wanted(fields)

    def whole(self, wanted: Wanted, answer: Answer) -> bytes:
        """See `Surface.whole`."""
        del wanted
        return completion_body(answer, self._answer_id(), self._now_s())

    def stream(self, wanted: Wanted) -> StreamEncoder:
        """See `Surface.stream`."""
        return ChunkEncoder(self._answer_id(), self._now_s(), tells_usage=wanted.told_usage)

    def error(self, error: NexusError, request_id: str) -> tuple[int, bytes]:
        """See `Surface.error`; the request's id is told in a header, as OpenAI does."""
        del request_id
        return error_body(error)

    def _answer_id(self) -> str:
        return "chatcmpl-" + self._new_id().replace("-", "")

    def _now_s(self) -> int:
        return int(self._clock.now().timestamp())
