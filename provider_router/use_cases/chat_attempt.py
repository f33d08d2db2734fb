"""One attempt to answer a chat, from its first piece to its settled end."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from typing import TypeAlias

from provider_router.domain.calls.events import Attempt, Delta, Finished, ModelEvent, Relayed, ToolCallDelta
from provider_router.domain.calls.growing_text import growing_text
from provider_router.domain.calls.usage import TokenUsage
from provider_router.domain.contracts.service import Service
from provider_router.domain.errors import Reason, failure
from provider_router.domain.money.attempt import Outcome
from provider_router.domain.money.believed import believed_bill, believed_usage
from provider_router.ports.token_counter import TokenCounter
from provider_router.use_cases.attempt_desk import Ending, OpenAttempt
from shared.errors import NexusError

_Start: TypeAlias = Callable[[], AsyncGenerator[ModelEvent, None]]


class ChatAttempt:
    """Reads a model's answer and settles the attempt when it ends, before its last event is passed on.

    Whoever has one calls `next` until `Finished` or an error, or `give_up`. `give_up` after either does nothing.

    Args:
        attempt: Opened at the desk.
        start: Begins the model's answer.
        counter: Counts tokens where the provider does not.
        is_hasty: Whether running out of time, after the first piece or before it, is the caller's own doing.
        choices: Answers that were asked for; pieces are those of the first.

    Attributes:
        attempt: As given.
        called_tools: Whether a piece of a tool call came.
        left_to_others: Whether somebody else gives it up.
        usage: Tokens that were charged; None before its end, and when none were.
        failed: How it failed; None unless it did.
    """

    def __init__(
        self,
        attempt: OpenAttempt,
        start: _Start,
        counter: TokenCounter,
        is_hasty: Callable[[bool], bool],
        choices: int = 1,
    ) -> None:
        self.attempt = attempt
        self.called_tools = False
        self.left_to_others = False
        self.usage: TokenUsage | None = None
        self.failed: Attempt | None = None
        self._start = start
        self._counter = counter
        self._is_hasty = is_hasty
        self._choices = choices
        self._events: AsyncGenerator[ModelEvent, None] | None = None
        # Not a list of pieces: each of them may be one character.
        self._said = growing_text()

    @property
    def service(self) -> Service:
        """That is called."""
        return self.attempt.service

    async def next(self) -> ModelEvent:
        """The next piece; `Finished` last.

        Raises:
            NexusError: With a reason of `domain.errors.Reason`; the attempt is settled as failed.
        """
        try:
            if self._events is None:
                self._events = self._start()
            event = await anext(self._events)
        except StopAsyncIteration:
            error = failure(
                Reason.PROVIDER_BAD_RESPONSE,
                f"The answer of '{self.attempt.service.name}' broke off before its end.",
            )
            await self._fail(error)
            raise error from None
        except NexusError as error:
            await self._fail(error)
            raise
        self.attempt.note_first_token()
        if isinstance(event, Finished):
            await self._finish(event)
        elif isinstance(event, Relayed):
            for said in event.events:
                self._note(said)
        else:
            self._note(event)
        return event

    def _note(self, said: Delta) -> None:
        if isinstance(said, ToolCallDelta):
            self.called_tools = True
            self._said.write(said.name + said.arguments_json)
        else:
            self._said.write(said.text)

    async def give_up(self, outcome: Outcome, why: NexusError | None = None) -> None:
        """Ends the provider's work at once, then settles the attempt: what came so far, and the prompt, are charged."""
        try:
            if self._events is not None:
                await self._events.aclose()
        finally:
            await self._settle_given_up(outcome, why)

    async def _settle_given_up(self, outcome: Outcome, why: NexusError | None) -> None:
        if not self.attempt.is_settled:
            self.usage = self._counted() if self._events is not None else None
            await self.attempt.settle(Ending(outcome, why, self.usage, estimated=True))

    async def _finish(self, event: Finished) -> None:
        opening, contract = self.attempt.opening, self.attempt.service.contract
        usage = believed_usage(event.usage, opening.reserved, contract, said=self._said.tell() > 0)
        billed = believed_bill(event.billed_micro_usd, opening.reserved, contract, opening.time.date())
        self.usage = usage or self._counted()
        estimated = usage is None or usage is not event.usage or billed != event.billed_micro_usd
        await self.attempt.settle(Ending(Outcome.SUCCEEDED, None, self.usage, estimated, event.finish_reason, billed))

    async def _fail(self, error: NexusError) -> None:
        opening = self.attempt.opening
        self.failed = Attempt(opening.service, error.reason, self.attempt.seconds(), opening.deployment)
        has_begun = self.attempt.has_begun_to_answer
        hasty = error.reason == Reason.PROVIDER_TIMEOUT and self._is_hasty(has_begun)
        # Who fails before the first piece has given nothing, and charges nothing; unless its caller did not wait, which
        # is to leave: it has the prompt, and is at work.
        self.usage = self._counted() if has_begun or hasty else None
        ending = Ending(Outcome.FAILED, error, self.usage, estimated=self.usage is not None, hasty=hasty)
        await self.attempt.settle(ending)

    def _counted(self) -> TokenUsage:
        """The tokens of the prompt and of what came so far, as the router counts them; all choices as the first one.

        The count errs upwards, and so is at most what was reserved: no answer within its limit has more.
        """
        reserved, text = self.attempt.opening.reserved, self._said.getvalue()
        produced = self._counter.text(self.attempt.service, text) * self._choices if text else 0
        return TokenUsage(reserved.input_tokens, min(produced, reserved.output_tokens or produced))
