from __future__ import annotations

from contextlib import aclosing

import pytest
from prometheus_client import REGISTRY
from router_fakes import QUESTION, FakeChatModel, FakeEmbeddingModel, model_spec

from provider_router.adapters.call_meter import CallMeter
from provider_router.adapters.chat_model_metered import MeteredChatModel
from provider_router.adapters.embedding_model_metered import MeteredEmbeddingModel
from provider_router.adapters.provider_observations_memory import MemoryProviderObservations
from provider_router.domain.chat import FinishReason
from provider_router.domain.errors import Reason, failure
from provider_router.domain.events import Finished, TextDelta
from provider_router.domain.usage import TokenUsage
from shared.errors import NexusError
from shared.testing.fakes import FakeClock

DOWN = failure(Reason.PROVIDER_TIMEOUT, "Slow.")
TOO_LONG = failure(Reason.CONTEXT_TOO_LONG, "Long.")


def sample(name: str, model: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"nexus_router_{name}", {"provider": "p", "model": model, **labels}) or 0.0


class Metered:
    def __init__(self, model: str) -> None:
        self.name = model
        self.clock = FakeClock()
        self.observations = MemoryProviderObservations()

    def meter(self, operation: str) -> CallMeter:
        return CallMeter(model_spec(f"p/{self.name}"), operation, self.observations, self.clock)

    def chat(self, *events: object) -> MeteredChatModel:
        return MeteredChatModel(FakeChatModel(events), self.meter("chat"), self.clock)

    def attempts(self, outcome: str, operation: str = "chat") -> float:
        return sample("attempts_total", self.name, operation=operation, outcome=outcome)


async def test_a_good_call_counts_tokens_and_shows_the_provider_available() -> None:
    metered = Metered("good")
    done = Finished(FinishReason.STOP, TokenUsage(10, 4, 6))
    assert [e async for e in metered.chat(TextDelta("x"), done).stream(QUESTION)] == [TextDelta("x"), done]
    assert metered.attempts("ok") == 1
    assert metered.observations.last("p").reason == ""
    assert [sample("tokens_total", "good", kind=kind) for kind in ("input", "cached_input", "output")] == [4, 6, 4]
    assert sample("first_token_seconds_count", "good", operation="chat") == 1


@pytest.mark.parametrize(("error", "observed"), [(DOWN, "PROVIDER_TIMEOUT"), (TOO_LONG, None)])
async def test_a_failed_call_counts_by_reason_and_blames_the_provider_for_its_own_only(
    error: NexusError, observed: str | None
) -> None:
    metered = Metered(f"failed-{error.reason}")
    with pytest.raises(NexusError):
        [e async for e in metered.chat(error).stream(QUESTION)]
    assert metered.attempts(error.reason) == 1
    last = metered.observations.last("p")
    assert (last and last.reason) == observed


async def test_a_call_that_the_caller_leaves_says_nothing_about_the_provider() -> None:
    metered = Metered("left")
    async with aclosing(metered.chat(TextDelta("x"), ...).stream(QUESTION)) as events:
        await anext(events)
    assert metered.attempts("cancelled") == 1
    assert metered.observations.last("p") is None


async def test_missing_usage_is_counted() -> None:
    metered = Metered("unpriced")
    [e async for e in metered.chat(Finished(FinishReason.STOP, None)).stream(QUESTION)]
    assert sample("usage_missing_total", "unpriced", operation="chat") == 1


async def test_embeddings_are_measured_too() -> None:
    metered = Metered("embed")
    model = MeteredEmbeddingModel(FakeEmbeddingModel(), metered.meter("embeddings"))
    assert len((await model.embed(["a", "b"])).vectors) == 2
    with pytest.raises(NexusError):
        await MeteredEmbeddingModel(FakeEmbeddingModel(DOWN), metered.meter("embeddings")).embed(["a"])
    assert metered.attempts("ok", "embeddings") == 1
    assert metered.attempts("PROVIDER_TIMEOUT", "embeddings") == 1
    assert sample("tokens_total", "embed", kind="input") == 2
