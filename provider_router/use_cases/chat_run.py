"""One call's way to an answer: which service is tried next, when it is tried again, when another one runs beside it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from provider_router.domain.calls.call_bounds import attempt_limits, call_seconds, gives_too_little, is_callers_limit
from provider_router.domain.calls.call_limits import CallLimits
from provider_router.domain.calls.chat import ChatRequest
from provider_router.domain.calls.chat_call import ChatCall
from provider_router.domain.calls.continuation import continued_request
from provider_router.domain.calls.events import Attempt, ModelEvent
from provider_router.domain.calls.fitting import fitted
from provider_router.domain.contracts.contract import Operation
from provider_router.domain.contracts.service import Service
from provider_router.domain.decisions.routed import Routed
from provider_router.domain.errors import Reason, of_decision
from provider_router.domain.money.attempt import Outcome
from provider_router.domain.money.output_bound import reserved_output_tokens
from provider_router.domain.money.pricing import upper_bound_micro_usd
from provider_router.domain.traffic.call_failure import chain_failed, out_of_time
from provider_router.domain.traffic.chain_walk import ChainWalk, Stop
from provider_router.domain.traffic.retry import NOT_NOW, Move, move_after
from provider_router.ports.model_source import ModelSource
from provider_router.ports.token_counter import TokenCounter
from provider_router.use_cases.attempt_desk import AttemptDesk, AttemptOrder
from provider_router.use_cases.chat_attempt import ChatAttempt
from provider_router.use_cases.entrance import Entrance
from provider_router.use_cases.loose_ends import LooseEnds
from provider_router.use_cases.pace_retries import Pace, PaceRetries
from provider_router.use_cases.race import Race, race
from shared.errors import NexusError, forget_stacks
from shared.value import value

_LOSERS_S = 1.0
_SOON_S = 0.02
"""So near to its end a call is over: clocks and timers are no more exact than that."""


@dataclass(frozen=True, slots=True)
class Means:
    """What every call is run with.

    Attributes:
        desk: Opens attempts.
        models: Makes models to call.
        counter: Counts tokens.
        retries: Paces those of the whole process.
        ends: Takes the settling of what is given up.
        instruction: What a model is asked that shall go on with another one's answer.
        most: The longest time limits, whatever the rules say.
    """

    desk: AttemptDesk
    models: ModelSource
    counter: TokenCounter
    retries: PaceRetries
    ends: LooseEnds
    instruction: str
    most: CallLimits


@value
class _Asked:
    """What one service is asked, how long that is, and what of the caller's request is not in it."""

    request: ChatRequest
    dropped: tuple[str, ...]
    input_tokens: int
    most_output_tokens: int


class ChatRun:
    """The attempts of one call. One task drives it; nothing in it is shared.

    Args:
        means: What it is run with.
        call: What is asked.
        routed: Where it goes.
        began_s: When the call came in, by the monotonic clock.
    """

    def __init__(self, means: Means, call: ChatCall, routed: Routed, began_s: float) -> None:
        self._means = means
        self._clock = means.desk.ports.clock
        self._observer = means.desk.ports.observer
        self._call = call
        self._routed = routed
        self._control = control = routed.decision.control
        self._walk = ChainWalk(control, routed.services)
        self._entrance = Entrance(means.desk.ports.opener, routed.entry)
        self._began_s = began_s
        self._deadline_s = began_s + call_seconds(control, call.options.timeout_ms, means.most)
        self._is_callers_limit = is_callers_limit(control, call.options.timeout_ms, means.most)
        # The first piece of a whole answer is its last: that it is late says nothing.
        self._may_race = call.options.hedge and control.hedge_after_ms > 0 and not call.request.whole
        self._so_far = ""
        # By the service's name, for as long as no model goes on with another's answer.
        self._asked_of: dict[str, _Asked] = {}
        self._attempts: list[ChatAttempt] = []
        self._stops: dict[ChatAttempt, Stop] = {}
        self._noted: list[Attempt] = []
        self._errors: list[NexusError] = []
        self._losers: list[asyncio.Task[None]] = []

    def is_over_for_the_caller(self) -> bool:
        """Whether the time that the caller gave is over, be it that what failed last failed for that."""
        return self._is_callers_limit and self._left_s() <= _SOON_S

    def noted(self) -> tuple[Attempt, ...]:
        """What failed since the last piece that the caller got, in order."""
        return tuple(self._noted)

    @property
    def holds_tokens(self) -> bool:
        """Whether it took tokens of its caller's limits."""
        return self._entrance.holds_tokens

    @property
    def is_recorded(self) -> bool:
        """Whether the record of its decision is written."""
        return self._entrance.is_recorded

    def noted_as(self, error: NexusError) -> NexusError:
        """`error` with the decision that was made before it, where that is recorded."""
        return of_decision(error, self._routed.decision_id) if self.is_recorded else error

    async def first_piece(self) -> tuple[ChatAttempt, ModelEvent]:
        """The attempt that begins to answer, and its first piece. What fails before is noted, and not told.

        Raises:
            NexusError: When nothing is left to try.
        """
        try:
            return await self._begun()
        except NexusError:
            # A decision is written down, also when nobody could be called.
            await self._entrance.open()
            raise

    async def _begun(self) -> tuple[ChatAttempt, ModelEvent]:
        while (stop := self._walk.current) is not None:
            if self._left_s() <= 0:
                raise out_of_time(self._noted)
            try:
                attempt = await self._opened(stop)
            except NexusError as error:
                await self._not_opened(stop, error)
                continue
            ended = await self._raced(attempt)
            for failed, error in ended.failures:
                self._note(failed, error)
            if ended.winner is not None and ended.first_event is not None:
                return ended.winner, ended.first_event
            await self._before_next(ended.failures)
        named = bool(self._call.options.model) and not self._call.options.model.endswith("/")
        raise chain_failed(self._noted, self._errors, named=named)

    def broke(self, attempt: ChatAttempt, error: NexusError) -> str:
        """Notes that `attempt` broke off with `error`; returns why no model can go on, empty when one can."""
        self._noted, self._errors = [], []
        self._note(attempt, error, Move.LATER)
        if any(each.called_tools for each in self._attempts):
            return "TOOL_CALL"
        if self._call.request.response_schema is not None:
            return "JSON_SCHEMA"
        return "" if self._walk.current is not None and self._left_s() > 0 else "NO_MODEL_LEFT"

    def continue_from(self, so_far: str) -> None:
        """Has the next attempts go on after `so_far`; what failed before is told already."""
        self._so_far = so_far
        self._asked_of.clear()

    async def cost_micro_usd(self) -> int:
        """What all attempts cost that have ended, those that lost a race included."""
        if self._losers:
            await asyncio.wait(self._losers, timeout=_LOSERS_S)
        return sum(each.attempt.cost_micro_usd for each in self._attempts)

    def cost_unknown(self) -> bool:
        """Whether nobody knows what one of the attempts cost that have ended."""
        return any(each.attempt.cost_unknown for each in self._attempts)

    def used_tokens(self) -> int:
        """Tokens that all attempts were charged for that have ended."""
        usages = [each.usage for each in self._attempts if each.usage is not None]
        return sum(usage.input_tokens + usage.output_tokens for usage in usages)

    async def end(self) -> None:
        """Gives up what is still under way, as aborted. Idempotent."""
        for attempt in self._attempts:
            if not attempt.left_to_others:
                await attempt.give_up(Outcome.ABORTED, self._means.ends.why())

    def _left_s(self) -> float:
        return self._deadline_s - self._clock.monotonic()

    async def _raced(self, attempt: ChatAttempt) -> Race:
        """How asking `attempt` went, and one beside it where it keeps silent."""
        if self._may_race and self._walk.beside is not None:
            ended = await race(attempt, self._second, self._control.hedge_after_ms / 1000, self._means.ends)
            if ended.outraced is not None:
                self._losers.append(ended.outraced)
            return ended
        try:
            return Race(attempt, await attempt.next())
        except NexusError as error:
            return Race(failures=[(attempt, error)])

    async def _second(self) -> ChatAttempt | None:
        """The attempt that runs beside the silent one; at most one a call."""
        stop = self._walk.beside
        if stop is None or not self._may_race or not self._means.retries.may_add_a_call(self._call.caller.org_id):
            return None
        self._may_race = False
        try:
            return await self._opened(stop, hedge=True)
        except NexusError:
            # The first one is still at work. Whether this one can be had is seen again if that fails.
            return None

    async def _opened(self, stop: Stop, *, hedge: bool = False) -> ChatAttempt:
        service = stop.service
        asked = self._asked(service)
        input_tokens, most_output = asked.input_tokens, asked.most_output_tokens
        expected = input_tokens + min(most_output, self._routed.decision.request.output_tokens or most_output)
        order = AttemptOrder(
            caller=self._call.caller,
            service=service,
            operation=Operation.CHAT,
            input_tokens=input_tokens,
            max_output_tokens=most_output * asked.request.choices,
            expected_tokens=expected,
            decision_id=self._routed.decision_id,
            conversation_id=self._call.options.conversation_id,
            number=len(self._attempts) + 1,
            streamed=self._call.streamed,
            hedge=hedge,
            tried=stop.tried,
            whole=self._call.request.whole,
        )
        opened = await self._means.desk.open(order, self._entrance)
        target = opened.lease.target
        self._walk.began(stop, target)
        if not self._attempts:
            self._observer.began(self._clock.monotonic() - self._began_s)
        left_s = self._left_s()
        if order.whole and self._walk.has_another(stop):
            # Who answers in one piece is not heard before its end: one that is silent must leave time for another.
            left_s /= 2
        limits = attempt_limits(self._control, stop.link, left_s, self._means.most)
        models = self._means.models
        # What costs money may not be longer than what was reserved for it.
        request = asked.request
        if opened.opening.reserved_micro_usd and request.max_output_tokens != most_output:
            request = replace(request, max_output_tokens=most_output)
        attempt = ChatAttempt(
            opened,
            lambda: models.chat_model(service, target).stream(request, limits),
            self._means.counter,
            self._haste_of(stop, limits),
            request.choices,
        )
        self._attempts.append(attempt)
        self._stops[attempt] = stop
        return attempt

    def _haste_of(self, stop: Stop, limits: CallLimits) -> Callable[[bool], bool]:
        """Tells whether to run out of time, after the first piece or before it, is the caller's own doing."""
        if not self._is_callers_limit:
            return lambda _: False
        ranked = self._routed.decision.ranked
        expected_ms = next((each.expected_first_token_ms for each in ranked if each.service == stop.service.name), 0)
        too_little = gives_too_little(self._control, stop.link, limits, expected_ms)
        return lambda has_begun: self._left_s() <= 0 if has_begun else too_little

    def dropped_for(self, service: Service) -> tuple[str, ...]:
        """What of the request `service` is not given."""
        return self._asked(service).dropped

    def limit_for(self, service: Service) -> int:
        """The most tokens that `service` may generate, where that is less than its caller allows; else 0."""
        most = self._asked(service).most_output_tokens
        return most if most < (self._call.request.max_output_tokens or 0) else 0

    def _asked(self, service: Service) -> _Asked:
        """What to ask `service`."""
        known = self._asked_of.get(service.name)
        if known is None:
            known = self._asked_of[service.name] = self._made_for(service)
        return known

    def _made_for(self, service: Service) -> _Asked:
        fit, counter = fitted(self._call.request, service, relayed=self._call.is_relayed), self._means.counter
        request = fit.request
        if self._so_far:
            used = counter.text(service, self._so_far)
            request = continued_request(request, self._so_far, service, self._means.instruction, used)
        tokens = counter.count(request, service)
        can = service.contract.capabilities
        # The most tokens of one answer, as the decision bounds them too.
        return _Asked(request, fit.dropped, tokens, reserved_output_tokens(can, tokens, request.max_output_tokens or 0))

    async def _not_opened(self, stop: Stop, error: NexusError) -> None:
        """Waits for a service that can be called soon; else goes on without it.

        Raises:
            NexusError: `error`, when no other service would do.
        """
        await self._entrance.open()
        if error.reason == Reason.BUDGET_EXHAUSTED:
            self._only_cheaper(stop, error)
        elif error.reason not in NOT_NOW:
            raise error
        elif await self._means.retries.waited_until_callable(stop, error, self._pace(stop)):
            return
        self._observer.passed_over(stop.service, error.reason)
        if not stop.failures:
            # Why it failed when it was called says more, and is noted already.
            self._noted.append(Attempt(stop.service.name, error.reason, 0.0))
            self._keep(error)
        self._walk.drop(stop)
        self._fall_back(stop, error.reason)

    def _pace(self, stop: Stop) -> Pace:
        return Pace(self._call.caller.org_id, self._control, self._left_s(), another=self._walk.has_another(stop))

    def _only_cheaper(self, stop: Stop, error: NexusError) -> None:
        """Leaves only services in the walk that reserve less than `stop`; raises `error` without one."""
        bound = self._bound_micro_usd(stop.service)
        cheaper = [each for each in self._walk.services() if self._bound_micro_usd(each) < bound]
        if not cheaper:
            raise error
        self._walk.drop_all_but(frozenset(each.name for each in cheaper))

    def _bound_micro_usd(self, service: Service) -> int:
        asked = self._asked(service)
        price = service.contract.price_on(self._clock.now().date())
        most_output = asked.most_output_tokens * asked.request.choices
        return upper_bound_micro_usd(price, asked.input_tokens, most_output)

    def _note(self, attempt: ChatAttempt, error: NexusError, move: Move | None = None) -> None:
        """Notes a failed attempt and moves on from its service as its reason says."""
        self._keep(error)
        if attempt.failed is not None:
            self._noted.append(attempt.failed)
        self._walk.failed(self._stops[attempt], move or move_after(error.reason))

    def _keep(self, error: NexusError) -> None:
        """Keeps an error that is told if all fail."""
        forget_stacks(error)
        self._errors.append(error)

    async def _before_next(self, failures: Sequence[tuple[ChatAttempt, NexusError]]) -> None:
        """Pauses before a service that failed is tried again, or gives it up where that is not worth its while."""
        current = self._walk.current
        for attempt, error in failures:
            stop = self._stops[attempt]
            if stop is not current:
                self._fall_back(stop, error.reason)
                continue
            if not await self._means.retries.paused(stop, error, self._pace(stop)):
                self._walk.drop(stop)
                self._fall_back(stop, error.reason)

    def _fall_back(self, stop: Stop, reason: str) -> None:
        following = self._walk.current
        if following is not None and following is not stop:
            self._observer.fell_back(stop.service, reason)
