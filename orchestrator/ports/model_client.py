"""Calls of models."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Protocol

from orchestrator.domain.chat import ChatEvent, ChatRequest


class ModelClient(Protocol):
    """Completes chats through the provider router."""

    def stream(self, request: ChatRequest, timeout_s: float) -> AsyncGenerator[ChatEvent, None]:
        """Yield `ChatStarted`, then text and tool call parts, then `ChatCompleted`.

        Close the generator to stop the call. A call is made once; whoever calls decides about another.

        Raises:
            NexusError: with the router's reason; also in the middle of the stream, when it was cut.
        """
        ...
