"""Something that answers calls: the router itself, or a cache in front of it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Protocol

from provider_router.domain.calls.chat_call import ChatCall
from provider_router.domain.calls.events import ChatEvent


class AnswerSource(Protocol):
    """Answers chats as a stream: `Started`, deltas, `Completed`."""

    def stream(self, call: ChatCall) -> AsyncGenerator[ChatEvent, None]:
        """Answers `call`. Closing the generator ends the work upstream at once.

        Raises:
            NexusError: With a reason of `domain.errors.Reason`; a stream that is cut raises and never ends quietly.
        """
        ...
