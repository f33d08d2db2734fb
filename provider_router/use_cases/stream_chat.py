"""Streams the answer to a chat from the first model of a chain that starts to answer."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from provider_router.domain.catalog import ModelSpec
from provider_router.domain.chat import ChatRequest
from provider_router.domain.errors import Reason, failure, is_callers_fault
from provider_router.domain.events import Attempt, ChatEvent, Completed, Finished, Started
from provider_router.ports.model_source import ModelSource
from provider_router.ports.provider_catalog import ProviderCatalog
from shared.clock import Clock
from shared.errors import NexusError


@dataclass(slots=True)
class _Attempts:
    """The models that failed so far, and how."""

    made: list[Attempt] = field(default_factory=list[Attempt])
    errors: list[NexusError] = field(default_factory=list[NexusError])

    def add(self, model: ModelSpec, error: NexusError, duration_s: float) -> None:
        """Notes that `model` failed with `error` after `duration_s` seconds."""
        self.made.append(Attempt(model.full_name, error.reason, duration_s))
        self.errors.append(error)

    def outcome(self) -> NexusError:
        """The error of a chain in which every model failed.

        When all models reject the request itself, the caller learns what is wrong with it; else that all failed.
        """
        if all(is_callers_fault(error) for error in self.errors):
            return self.errors[0]
        reasons = {attempt.model: attempt.reason for attempt in self.made}
        listed = ", ".join(f"{model}: {reason}" for model, reason in reasons.items())
        waits = [error.retry_after_s for error in self.errors if error.retry_after_s is not None]
        return failure(
            Reason.ALL_MODELS_FAILED,
            f"No model answered ({listed}). `nexus providers list` shows how the providers are.",
            metadata=reasons,
            retry_after_s=min(waits, default=None),
        )


class StreamChat:
    """Streams an answer: `Started`, deltas, `Completed`.

    A failure before the first piece moves on to the next model of the chain; a later one ends the stream with
    STREAM_BROKEN. A model that the caller named is the only one tried.
    """

    def __init__(self, catalog: ProviderCatalog, models: ModelSource, clock: Clock) -> None:
        self._catalog = catalog
        self._models = models
        self._clock = clock

    async def __call__(self, model: str, request: ChatRequest) -> AsyncGenerator[ChatEvent, None]:
        """Answers `request`.

        Args:
            model: `provider/model`, or empty for the configured chain.
            request: The chat.

        Raises:
            NexusError: With a reason of `domain.errors.Reason`.
        """
        request.check()
        candidates = self._catalog.current().catalog.chat_models(model)
        attempts = _Attempts()
        for spec in candidates:
            began = self._clock.monotonic()
            started = False
            try:
                async with aclosing(self._answer(spec, request, attempts.made)) as events:
                    async for event in events:
                        started = True
                        yield event
            except NexusError as error:
                if started:
                    raise _broken(spec, error) from error
                attempts.add(spec, error, self._clock.monotonic() - began)
            else:
                return
        raise attempts.errors[0] if model else attempts.outcome()

    async def _answer(
        self, spec: ModelSpec, request: ChatRequest, attempts: Sequence[Attempt]
    ) -> AsyncGenerator[ChatEvent, None]:
        """The whole stream of one model."""
        spec.check_fits(request)
        started = False
        async with aclosing(self._models.chat_model(spec).stream(request)) as events:
            async for event in events:
                if not started:
                    started = True
                    yield Started(spec.full_name, tuple(attempts), spec.demonstration)
                if isinstance(event, Finished):
                    cost = spec.prices.cost_micro_usd(event.usage) if event.usage else 0
                    yield Completed(event.finish_reason, event.usage, cost)
                    return
                yield event
        raise failure(Reason.PROVIDER_BAD_RESPONSE, f"The answer of '{spec.full_name}' broke off before its end.")


def _broken(spec: ModelSpec, cause: NexusError) -> NexusError:
    return failure(
        Reason.STREAM_BROKEN,
        f"The answer of '{spec.full_name}' broke off ({cause.reason}). What came so far is incomplete; ask again.",
        metadata={"model": spec.full_name, "cause": cause.reason},
    )
