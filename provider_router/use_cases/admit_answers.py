"""Lets chats in before anything is done for them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from provider_router.domain.calls.chat_call import ChatCall
from provider_router.domain.calls.events import ChatEvent
from provider_router.ports.answer_source import AnswerSource
from provider_router.use_cases.admit_call import AdmitCall


class AdmitAnswers:
    """Implements `AnswerSource` around another one: each call takes one request, whoever answers it.

    A call that may be answered from the cache is looked up, and its text is embedded for that: it takes its request
    here. Any other takes it with all else that is written before its first attempt (`Entrance`).
    """

    def __init__(self, admit: AdmitCall, source: AnswerSource) -> None:
        self._admit = admit
        self._source = source

    def stream(self, call: ChatCall) -> AsyncGenerator[ChatEvent, None]:
        """Answers `call`; see `AnswerSource`.

        Raises:
            InvalidInput: At once, for a call that makes no sense.
            QuotaExceeded: Out of the stream: RATE_LIMITED, with the time to wait.
        """
        call.check()
        return self._admitted(call) if call.asks_cache else self._source.stream(call)

    async def _admitted(self, call: ChatCall) -> AsyncGenerator[ChatEvent, None]:
        await self._admit.request(call.caller)
        async with aclosing(self._source.stream(call)) as events:
            async for event in events:
                yield event
