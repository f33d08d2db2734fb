"""Completes a chat and returns the whole answer."""

from __future__ import annotations

from contextlib import aclosing

from provider_router.domain.answer import Answer, AnswerBuilder
from provider_router.domain.chat import ChatRequest
from provider_router.use_cases.stream_chat import StreamChat


class CompleteChat:
    """Drains the stream: there is no second way to call a model."""

    def __init__(self, stream_chat: StreamChat) -> None:
        self._stream_chat = stream_chat

    async def __call__(self, model: str, request: ChatRequest) -> Answer:
        """Answers `request`; arguments and errors are those of `StreamChat`."""
        builder = AnswerBuilder()
        async with aclosing(self._stream_chat(model, request)) as events:
            async for event in events:
                builder.add(event)
        return builder.answer()
