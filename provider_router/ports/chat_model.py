"""A model that completes chats."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Protocol

from provider_router.domain.calls.call_limits import CallLimits
from provider_router.domain.calls.chat import ChatRequest
from provider_router.domain.calls.events import ModelEvent


class ChatModel(Protocol):
    """One model of one provider. Not idempotent: each call is a new answer, and may cost money."""

    def stream(self, request: ChatRequest, limits: CallLimits | None = None) -> AsyncGenerator[ModelEvent, None]:
        """Answers a chat, piece by piece, within `limits` or those of the settings.

        Yields deltas, then exactly one `Finished`, last. Closing the generator, or cancelling the task that
        drives it, ends the provider's work at once.

        Raises:
            NexusError: With a reason of `domain.errors.Reason`; a stream that is cut raises and never ends quietly.
        """
        ...
