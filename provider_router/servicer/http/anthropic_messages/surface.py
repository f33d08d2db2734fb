"""Anthropic's Messages API, as callers speak it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from provider_router.domain.calls.answer import Answer
from provider_router.servicer.http.anthropic_messages.answer import message_body
from provider_router.servicer.http.anthropic_messages.errors import error_body, status_of
from provider_router.servicer.http.anthropic_messages.request import read_request
from provider_router.servicer.http.anthropic_messages.stream import MessageEncoder
from provider_router.servicer.http.surface import Wanted
from shared.errors import NexusError
from shared.ids import IdSource


class AnthropicMessages:
    """Implements `Surface`. `new_id` makes the ids of messages."""

    def __init__(self, new_id: IdSource) -> None:
        self._new_id = new_id

    def read(self, fields: Mapping[str, Any], headers: Mapping[str, str]) -> Wanted:
        """See `Surface.read`."""
        return read_request(fields, headers)

    def whole(self, wanted: Wanted, answer: Answer) -> bytes:
        """See `Surface.whole`."""
        return message_body(answer, self._message_id())

    def stream(self, wanted: Wanted) -> MessageEncoder:
        """See `Surface.stream`."""
        return MessageEncoder(self._message_id())

    def error(self, error: NexusError, request_id: str) -> tuple[int, bytes]:
        """See `Surface.error`."""
        return status_of(error), error_body(error, request_id)

    def _message_id(self) -> str:
        return f"msg_{self._new_id().replace('-', '')}"
