"""Turns texts into vectors."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from provider_router.domain.calls.embedding import AS_RULES_SAY, Embeddings, Handling
from provider_router.domain.calls.usage import TokenUsage
from provider_router.domain.contracts.contract import Operation
from provider_router.domain.contracts.service import Service
from provider_router.domain.decisions.decision import Control, Link
from provider_router.domain.decisions.route_request import Caller
from provider_router.domain.errors import Reason, failure, of_decision
from provider_router.domain.money.attempt import Outcome
from provider_router.domain.money.believed import believed_usage
from provider_router.domain.traffic.call_failure import deadline_passed
from provider_router.domain.traffic.chain_walk import ChainWalk, Stop
from provider_router.domain.traffic.retry import move_after
from provider_router.ports.model_source import ModelSource
from provider_router.ports.service_registry import ServiceRegistry
from provider_router.ports.token_counter import TokenCounter
from provider_router.use_cases.admit_call import AdmitCall
from provider_router.use_cases.attempt_desk import AttemptDesk, AttemptOrder, Ending, OpenAttempt
from provider_router.use_cases.decide_embedding import DecidesEmbeddings
from provider_router.use_cases.loose_ends import LooseEnds
from provider_router.use_cases.pace_retries import Pace, PaceRetries
from shared.errors import NexusError, forget_stacks

_TRIES = 3
_BACKOFF_BASE_MS = 100
_BACKOFF_CAP_MS = 2_000


@dataclass(frozen=True, slots=True)
class EmbeddedTexts:
    """Vectors, and what became of the call for them.

    Attributes:
        model: `provider/model` that made them.
        embeddings: They.
        decision_id: The decision that it may make them.
        attempts: How often it was tried.
        cost_micro_usd: Of all attempts.
        cost_unknown: Whether nobody knows what one of them cost.
    """

    model: str
    embeddings: Embeddings
    decision_id: str = ""
    attempts: int = 1
    cost_micro_usd: int = 0
    cost_unknown: bool = False


@dataclass(frozen=True, slots=True)
class EmbedMeans:
    """What embeddings are made with; the fields mean what they mean in `chat_run.Means`.

    Attributes:
        total_s: For all attempts of a call together.
    """

    desk: AttemptDesk
    models: ModelSource
    counter: TokenCounter
    retries: PaceRetries
    ends: LooseEnds
    total_s: float


@dataclass(frozen=True, slots=True)
class _Asked:
    """What one call asks, once it is decided."""

    caller: Caller
    service: Service
    texts: Sequence[str]
    tokens: int
    decision_id: str
    conversation_id: str
    attempts: list[OpenAttempt] = field(default_factory=list[OpenAttempt])


class EmbedTexts:
    """Embeds with one model, at any of its deployments.

    It never falls back to another model: vectors of different models cannot be compared.
    """

    def __init__(
        self, registry: ServiceRegistry, admit: AdmitCall, decide: DecidesEmbeddings, means: EmbedMeans
    ) -> None:
        self._registry = registry
        self._admit = admit
        self._decide = decide
        self._means = means
        self._clock = means.desk.ports.clock

    async def __call__(
        self, caller: Caller, model: str, texts: Sequence[str], handling: Handling = AS_RULES_SAY
    ) -> EmbeddedTexts:
        """Embeds `texts`.

        Args:
            caller: Who asks, and pays.
            model: `provider/model`, or empty for the configured one.
            texts: 1 to 2,048 texts.
            handling: What is said of them.

        Raises:
            NexusError: With a reason of `domain.errors.Reason`.
        """
        service = self._registry.current(caller.org_id).embedding_service(model)
        until_s = asyncio.get_running_loop().time() + handling.timeout_ms / 1000 if handling.timeout_ms else None
        await self._admit.request(caller)
        decision_id = await self._decide(caller, service, texts, handling)
        tokens = sum(self._means.counter.text(service, text) for text in texts)
        asked = _Asked(caller, service, texts, tokens, decision_id, handling.conversation_id)
        try:
            async with asyncio.timeout_at(until_s):
                embeddings = await self._charged(asked)
        except TimeoutError as error:
            raise of_decision(deadline_passed(), decision_id) from error
        except NexusError as error:
            raise of_decision(error, decision_id) from error
        return EmbeddedTexts(
            service.name,
            embeddings,
            decision_id,
            len(asked.attempts),
            sum(each.cost_micro_usd for each in asked.attempts),
            any(each.cost_unknown for each in asked.attempts),
        )

    async def _charged(self, asked: _Asked) -> Embeddings:
        """The vectors, for tokens of the caller's limits."""
        await self._admit.tokens(asked.caller, asked.tokens)
        self._means.retries.request(asked.caller.org_id)
        used = 0
        try:
            embeddings = await self._embedded(asked)
            used = embeddings.usage.input_tokens if embeddings.usage else asked.tokens
        finally:
            await self._admit.settle(asked.caller, asked.tokens, used)
        return embeddings

    async def _embedded(self, asked: _Asked) -> Embeddings:
        """The vectors, after as many tries as make sense; the last error where none did."""
        service = asked.service
        end_s = self._clock.monotonic() + self._means.total_s
        control = Control(
            chain=(Link(service.name, _TRIES, 0),),
            max_attempts=_TRIES,
            backoff_base_ms=_BACKOFF_BASE_MS,
            backoff_cap_ms=_BACKOFF_CAP_MS,
        )
        walk = ChainWalk(control, {service.name: service})
        error = failure(Reason.PROVIDER_TIMEOUT, f"'{service.name}' did not answer within the time limit of the call.")
        number = 0
        while (stop := walk.current) is not None:
            pace = Pace(asked.caller.org_id, control, end_s - self._clock.monotonic(), another=False)
            if pace.left_s <= 0:
                break
            try:
                opened = await self._means.desk.open(_order(asked, stop, number + 1))
            except NexusError as refused:
                if not await self._means.retries.waited_until_callable(stop, refused, pace):
                    # Why it failed is more to the point than why it cannot be called any more.
                    raise error if number else refused from refused
                continue
            number += 1
            asked.attempts.append(opened)
            walk.began(stop, opened.lease.target)
            try:
                return await self._answer(opened, asked)
            except NexusError as failed:
                error = failed
                forget_stacks(error)
            walk.failed(stop, move_after(error.reason))
            if walk.current is stop and not await self._means.retries.paused(stop, error, pace):
                break
        raise error

    async def _answer(self, opened: OpenAttempt, asked: _Asked) -> Embeddings:
        """The vectors of one attempt, which is settled however it ends."""
        try:
            model = self._means.models.embedding_model(opened.service, opened.lease.target)
            embeddings = await model.embed(asked.texts)
        except NexusError as error:
            await opened.settle(Ending(Outcome.FAILED, error))
            raise
        except BaseException:
            # The caller left, or the router ends: the provider has the texts, and may well charge for them.
            why = self._means.ends.why()
            await opened.settle(Ending(Outcome.ABORTED, why, TokenUsage(asked.tokens), estimated=True))
            raise
        usage = believed_usage(embeddings.usage, opened.opening.reserved, opened.service.contract, said=False)
        estimated = usage is None or usage is not embeddings.usage
        await opened.settle(Ending(Outcome.SUCCEEDED, usage=usage or TokenUsage(asked.tokens), estimated=estimated))
        return Embeddings(embeddings.vectors, usage) if estimated else embeddings


def _order(asked: _Asked, stop: Stop, number: int) -> AttemptOrder:
    return AttemptOrder(
        caller=asked.caller,
        service=stop.service,
        operation=Operation.EMBED,
        input_tokens=asked.tokens,
        max_output_tokens=0,
        expected_tokens=asked.tokens,
        decision_id=asked.decision_id,
        conversation_id=asked.conversation_id,
        number=number,
        tried=stop.tried,
    )
