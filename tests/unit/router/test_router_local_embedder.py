"""Texts are embedded on the operator's own machines and nowhere else, and nobody waits for it."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from router_cache_fakes import FakeLocalEmbedder, SetClock, turned
from router_fakes import FakeEmbeddingModel, FakeModelSource, FakeRegistry, service_of, snapshot_of

from provider_router.adapters.local_embedder_bounded import BoundedLocalEmbedder
from provider_router.adapters.local_embedder_registry import RegistryLocalEmbedder
from provider_router.domain.contracts.contract import DataClass, Privacy
from provider_router.domain.contracts.service import Service
from provider_router.domain.tasks.local_embedding import local_embedding_service
from shared.errors import NexusError, UpstreamDown

OWN = Privacy(clearance=DataClass.RESTRICTED, on_premises=True)


def embedding(name: str, privacy: Privacy = OWN, **changes: object) -> Service:
    return service_of(name, chat=False, embeddings=True, privacy=privacy, **changes)


@pytest.mark.parametrize(
    "service",
    [
        embedding("cloud/e", Privacy(clearance=DataClass.RESTRICTED, on_premises=False)),
        embedding("own/e", replace(OWN, clearance=DataClass.CONFIDENTIAL)),
        embedding("own/e", org_id="evil"),
        service_of("own/chat", privacy=OWN),
    ],
    ids=["elsewhere", "not cleared for all", "an organisation's own contract", "a chat model"],
)
async def test_no_text_goes_anywhere_that_may_not_see_every_text(service: Service) -> None:
    source = FakeModelSource(embed={service.name: FakeEmbeddingModel()})
    embedder = RegistryLocalEmbedder(FakeRegistry(snapshot_of(service, embed=service.name)), source)

    assert embedder.model() == ""
    with pytest.raises(NexusError) as caught:
        await embedder.embed(["secret"])
    assert caught.value.reason == "NO_MODEL_CONFIGURED"


def test_the_configured_model_comes_first_and_another_one_where_it_may_not() -> None:
    cloud = embedding("cloud/e", Privacy(on_premises=False))
    a, b = embedding("own/a"), embedding("own/b")

    assert local_embedding_service(snapshot_of(a, b, cloud, embed="own/b")) is b
    assert local_embedding_service(snapshot_of(b, a, cloud, embed="cloud/e")) is a
    assert local_embedding_service(snapshot_of(cloud, embed="cloud/e")) is None
    assert local_embedding_service(snapshot_of()) is None


@given(
    st.lists(
        st.builds(
            Privacy, clearance=st.sampled_from(DataClass), on_premises=st.booleans(), trains_on_data=st.booleans()
        ),
        max_size=4,
    ),
    st.booleans(),
)
def test_whatever_is_registered_only_an_own_cleared_model_is_chosen(privacies: list[Privacy], first: bool) -> None:
    services = [embedding(f"p{place}/e", privacy) for place, privacy in enumerate(privacies)]
    chosen = local_embedding_service(snapshot_of(*services, embed="p0/e" if first else ""))
    usable = [each for each in services if each.contract.privacy.on_premises and each.contract.privacy.clearance == 3]

    assert (chosen is None) == (not usable)
    assert chosen is None or chosen in usable


async def test_it_embeds_with_the_model_that_there_is_now() -> None:
    registry = FakeRegistry(snapshot_of(embedding("own/a", dimensions=2)))
    embedder = RegistryLocalEmbedder(registry, FakeModelSource(embed={"own/a": FakeEmbeddingModel()}))

    assert embedder.model() == "own/a@1/2"
    assert await embedder.embed(["x"]) == ((0.6, 0.8),)
    registry.snapshot = snapshot_of(embedding("own/a", version=2, dimensions=2))
    assert embedder.model() == "own/a@2/2"


async def test_a_call_too_many_is_refused_at_once() -> None:
    inner = FakeLocalEmbedder({"x": turned(0)}, waits_s=0.005)
    embedder = BoundedLocalEmbedder(inner, SetClock(), places=2, timeout_s=1)
    outcomes = await asyncio.gather(*(embedder.embed(["x"]) for _ in range(3)), return_exceptions=True)

    assert [getattr(each, "reason", "ok") for each in outcomes] == ["ok", "ok", "DEPLOYMENTS_BUSY"]
    assert await embedder.embed(["x"]) == (turned(0),)


async def test_a_late_answer_is_given_up_and_the_next_calls_do_not_even_try() -> None:
    clock, inner = SetClock(), FakeLocalEmbedder(waits_s=10)
    embedder = BoundedLocalEmbedder(inner, clock, timeout_s=0.005, pause_s=2)
    with pytest.raises(NexusError) as late:
        await embedder.embed(["x"])
    with pytest.raises(NexusError) as refused:
        await embedder.embed(["y"])
    clock.pass_s(2)
    inner.waits_s = 0

    assert (late.value.reason, refused.value.reason) == ("PROVIDER_TIMEOUT", "DEPLOYMENTS_BUSY")
    assert inner.asked == ["x"]
    await embedder.embed(["z"])


async def test_after_a_failure_it_pauses() -> None:
    clock = SetClock()
    embedder = BoundedLocalEmbedder(FakeLocalEmbedder(error=UpstreamDown("PROVIDER_UNREACHABLE", "Down.")), clock)
    reasons = []
    for _ in range(2):
        with pytest.raises(NexusError) as caught:
            await embedder.embed(["x"])
        reasons.append(caught.value.reason)

    assert reasons == ["PROVIDER_UNREACHABLE", "DEPLOYMENTS_BUSY"]


async def test_a_caller_who_leaves_gives_the_place_back() -> None:
    embedder = BoundedLocalEmbedder(FakeLocalEmbedder(waits_s=10), SetClock(), places=1, timeout_s=20)
    task = asyncio.create_task(embedder.embed(["x"]))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert embedder._free == 1
