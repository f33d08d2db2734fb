"""Answers a chat: decides where it goes, and carries the decision out."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TypeAlias

from provider_router.domain.calls.chat_call import ChatCall, OnBreak
from provider_router.domain.calls.continuation import OverlapTrimmer, goes_on_by_itself
from provider_router.domain.calls.events import (
    ChatEvent,
    Completed,
    Continued,
    Delta,
    Finished,
    ModelEvent,
    Relayed,
    Started,
    TextDelta,
)
from provider_router.domain.calls.growing_text import growing_text
from provider_router.domain.calls.usage import TokenUsage, total_usage
from provider_router.domain.decisions.routed import Routed
from provider_router.domain.errors import Reason
from provider_router.domain.traffic.call_failure import FAILED_IN_TIME, broke_off, deadline_passed
from provider_router.ports.affinity import Affinity
from provider_router.use_cases.admit_call import AdmitCall
from provider_router.use_cases.chat_attempt import ChatAttempt
from provider_router.use_cases.chat_run import ChatRun, Means
from shared.errors import NexusError

_Decide: TypeAlias = Callable[[ChatCall], Awaitable[Routed]]
"""`DecideRoute`."""


class AnswerChat:
    """Implements `AnswerSource` for calls that the cache does not answer.

    `Started`, deltas, `Completed`; `Continued` where the caller asked for that.

    A failure before the first piece moves on, unseen but for `attempts`; a later one ends the stream with
    STREAM_BROKEN, or has another service go on. Nothing is ever sent twice. Every attempt is settled when this ends,
    however it ends.
    """

    def __init__(self, admit: AdmitCall, decide: _Decide, affinity: Affinity, means: Means) -> None:
        self._admit = admit
        self._decide = decide
        self._affinity = affinity
        self._means = means
        self._clock = means.desk.ports.clock
        self._observer = means.desk.ports.observer

    async def stream(self, call: ChatCall) -> AsyncGenerator[ChatEvent, None]:
        """Answers `call`. Closing the generator ends the work upstream at once.

        Raises:
            NexusError: With a reason of `domain.errors.Reason`; DEADLINE_EXCEEDED when the caller gave it no more time.
        """
        began_s = self._clock.monotonic()
        routed = await self._decided(call)
        self._means.retries.request(call.caller.org_id)
        run = ChatRun(self._means, call, routed, began_s)
        try:
            attempt, event = await run.first_piece()
            contract = attempt.service.contract
            yield Started(
                contract.name,
                run.noted(),
                contract.demonstration,
                routed.decision_id,
                cache_hit=None,
                dropped=run.dropped_for(attempt.service),
                limited_to=run.limit_for(attempt.service),
            )
            told = _Told(attempt, keeps_text=call.options.on_break is OnBreak.CONTINUE)
            while not isinstance(event, Finished):
                if (piece := told.new_in(event)) is not None:
                    yield piece
                try:
                    event = await attempt.next()
                except NexusError as error:
                    attempt, event = await self._next_after(call, run, told, error)
                    yield Continued(attempt.service.name, run.noted())
            if (rest := told.rest()) is not None:
                yield rest
            if told.is_cut():
                raise broke_off(attempt.service.name, Reason.STREAM_BROKEN, "NOTHING_ADDED")
            self._affinity.note(call.caller.org_id, call.options.conversation_id, attempt.service.name)
            cost_micro_usd = await run.cost_micro_usd()
            yield Completed(
                event.finish_reason,
                told.usage(event),
                cost_micro_usd,
                run.cost_unknown(),
                stop_text=event.stop_text,
                wire=event.wire,
            )
        except NexusError as error:
            if error.reason in FAILED_IN_TIME and run.is_over_for_the_caller():
                raise run.noted_as(deadline_passed()) from error
            if run.is_recorded:
                raise run.noted_as(error) from error
            raise
        finally:
            await run.end()
            if run.holds_tokens:
                request = routed.decision.request
                expected_tokens = request.input_tokens + request.output_tokens
                await self._admit.settle(call.caller, expected_tokens, run.used_tokens())

    async def _decided(self, call: ChatCall) -> Routed:
        try:
            routed = await self._decide(call)
        except NexusError as error:
            self._observer.decided(error.reason)
            raise
        self._observer.decided("OK")
        return routed

    async def _next_after(
        self, call: ChatCall, run: ChatRun, told: _Told, error: NexusError
    ) -> tuple[ChatAttempt, ModelEvent]:
        """The attempt that goes on where one broke off with `error`, and its first piece.

        Raises:
            UpstreamDown: STREAM_BROKEN, when none does.
        """
        broken = told.attempt
        why_not = run.broke(broken, error)
        if call.options.on_break is not OnBreak.CONTINUE:
            raise broke_off(broken.service.name, error.reason) from error
        if why_not:
            raise broke_off(broken.service.name, error.reason, why_not) from error
        run.continue_from(told.text())
        try:
            attempt, event = await run.first_piece()
        except NexusError as failed:
            raise broke_off(broken.service.name, error.reason, failed.reason) from failed
        told.goes_on(attempt)
        return attempt, event


class _Told:
    """What the caller got so far.

    Attributes:
        attempt: That answers now.
    """

    def __init__(self, attempt: ChatAttempt, *, keeps_text: bool) -> None:
        self.attempt = attempt
        self._answered = [attempt]
        self._keeps_text = keeps_text
        self._text = growing_text()
        self._trimmer: OverlapTrimmer | None = None
        self._went_on_at = 0

    def text(self) -> str:
        """The text."""
        return self._text.getvalue()

    def new_in(self, event: Delta | Relayed) -> Delta | Relayed | None:
        """What of `event` the caller has not got yet; None for nothing."""
        if not self._keeps_text or not isinstance(event, TextDelta):
            return event
        if self._trimmer is not None:
            event = TextDelta(self._trimmer.add(event.text))
        self._text.write(event.text)
        return event if event.text else None

    def rest(self) -> TextDelta | None:
        """What was held back of a continuation and turned out to be new; None for nothing."""
        text = self._trimmer.end() if self._trimmer is not None else ""
        self._text.write(text)
        return TextDelta(text) if text else None

    def is_cut(self) -> bool:
        """Whether the one that went on had nothing to add: then nobody knows whether what came before was whole."""
        return self._trimmer is not None and self._text.tell() == self._went_on_at and not self.attempt.called_tools

    def goes_on(self, attempt: ChatAttempt) -> None:
        """Notes that `attempt` goes on."""
        # What the one before had held back is not told any more: it is for this one to say.
        self._trimmer = OverlapTrimmer(self.text(), after_prefill=goes_on_by_itself(attempt.service))
        self.attempt = attempt
        self._went_on_at = self._text.tell()
        self._answered.append(attempt)

    def usage(self, finished: Finished) -> TokenUsage | None:
        """Tokens of all that the caller got; None where the provider of the last of it did not say."""
        if finished.usage is None or len(self._answered) == 1:
            return finished.usage
        return total_usage(each.usage for each in self._answered if each.usage is not None)
