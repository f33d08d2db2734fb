"""A chat model whose calls are measured."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from provider_router.adapters.call_meter import CallMeter
from provider_router.domain.chat import ChatRequest
from provider_router.domain.events import Finished, ModelEvent
from provider_router.ports.chat_model import ChatModel
from shared.clock import Clock


class MeteredChatModel:
    """Implements `ChatModel` around another one."""

    def __init__(self, model: ChatModel, meter: CallMeter, clock: Clock) -> None:
        self._model = model
        self._meter = meter
        self._clock = clock

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ModelEvent, None]:
        """Answers a chat, piece by piece."""
        began = self._clock.monotonic()
        first = True
        last: Finished | None = None
        with self._meter.measured():
            async with aclosing(self._model.stream(request)) as events:
                async for event in events:
                    if first:
                        first = False
                        self._meter.first_piece(self._clock.monotonic() - began)
                    if isinstance(event, Finished):
                        # Kept back until the call is measured: whoever gets it asks for nothing more.
                        last = event
                    else:
                        yield event
        if last is not None:
            self._meter.used(last.usage)
            yield last
