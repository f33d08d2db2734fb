"""Completes a chat and returns the whole answer."""

from __future__ import annotations

from provider_router.domain.calls.answer import Answer, AnswerBuilder
from provider_router.domain.calls.chat_call import ChatCall
from provider_router.ports.answer_source import AnswerSource


class CompleteChat:
    """Drains the stream: there is no second way to call a model."""

    def __init__(self, source: AnswerSource) -> None:
        self._source = source

    async def __call__(self, call: ChatCall) -> Answer:
        """Answers `call`; errors are those of the source."""
        builder = AnswerBuilder()
        events = self._source.stream(call)
        try:
            async for event in events:
                builder.add(event)
        finally:
            await events.aclose()
        return builder.answer()
