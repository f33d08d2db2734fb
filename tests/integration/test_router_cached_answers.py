"""The cache in the real router: over gRPC, over restarts, and between organisations."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from router_service import Stub, chat, router, served_router, streamed, text_of, unary

from protos.gen.nexus.router.v1 import contract_pb2, ledger_pb2, ledger_pb2_grpc
from protos.gen.nexus.router.v1 import router_pb2 as pb
from shared.auth.context import acting_as
from shared.testing.harness import principal
from shared.testing.scripted_provider import Reply, ScriptedProvider, Truncate

EXACT, SEMANTIC = pb.CACHE_MODE_EXACT, pb.CACHE_MODE_SEMANTIC


def cached(text: str = "What is the capital of France?", **routing: object) -> pb.ChatCompletionRequest:
    return chat(text=text, routing=pb.RoutingOptions(**{"cache_mode": EXACT, **routing}))


def providers(folder: Path, url: str) -> Path:
    """One provider for chats, and embeddings of this machine."""
    file = folder / "providers.yaml"
    file.write_text(
        f"""version: 1
providers:
  one:
    type: openai_compatible
    base_url: '{url}'
    models:
      - name: m
        chat: true
        tool_calling: true
        usd_per_million_tokens: {{input: 1, output: 2}}
        privacy: {{clearance: restricted, regions: [eu], retention_days: 0}}
  local: {{type: local, models: [{{name: embed, embeddings: true}}]}}
chains: {{chat: [one/m]}}
"""
    )
    return file


@asynccontextmanager
async def rig(folder: Path) -> AsyncGenerator[tuple[Stub, ScriptedProvider], None]:
    async with (
        ScriptedProvider() as provider,
        router(providers(folder, provider.base_url), local_embed_url=provider.base_url) as stub,
    ):
        yield stub, provider


def asked_of(provider: ScriptedProvider) -> int:
    return sum(request.path.endswith("/chat/completions") for request in provider.requests)


async def test_the_second_time_nobody_is_asked_and_nothing_is_charged(tmp_path: Path) -> None:
    async with rig(tmp_path) as (stub, provider):
        provider.script(Reply("Paris", chunk_size=2))
        first = await unary(stub, cached())
        again = await unary(stub, cached())
        flowing = await streamed(stub, cached())

        assert asked_of(provider) == 1
        assert (text_of(first), text_of(again), text_of(flowing)) == ("Paris",) * 3
        assert first.cost_micro_usd > 0
        assert (again.cost_micro_usd, flowing.cost_micro_usd) == (0, 0)
        assert (first.HasField("cache_hit"), again.cache_hit.mode) == (False, EXACT)
        assert again.cache_hit.similarity_ppm == 1_000_000
        assert again.cache_hit.age.ToMilliseconds() < 10_000
        assert again.decision_id == first.decision_id != ""
        assert (again.usage, again.model) == (first.usage, first.model)
        assert flowing.finish_reason == pb.FINISH_REASON_STOP


async def test_a_router_alone_may_keep_its_answers_in_its_memory(tmp_path: Path) -> None:
    async with ScriptedProvider() as provider:
        file = providers(tmp_path, provider.base_url)
        for _ in range(2):
            provider.script(Reply("Paris"))
            async with router(file, data_dir=tmp_path / "data", shared_cache=False) as stub:
                answers = [await unary(stub, cached()) for _ in range(2)]
            assert [answer.HasField("cache_hit") for answer in answers] == [False, True]
        assert asked_of(provider) == 2


async def test_an_answer_survives_a_restart_and_is_nobody_elses(tmp_path: Path) -> None:
    async with rig(tmp_path) as (stub, _):
        await unary(stub, cached())
    async with rig(tmp_path) as (stub, provider):
        # Its address is part of no key: the same providers file but for the port.
        assert (await unary(stub, cached())).HasField("cache_hit")
        with acting_as(principal(org_id="org-b")):
            assert not (await unary(stub, cached())).HasField("cache_hit")
        assert asked_of(provider) == 1


@pytest.mark.parametrize(
    "other",
    [
        chat(text="What is the capital of France?"),
        cached(data_class=contract_pb2.DATA_CLASS_CONFIDENTIAL),
        cached(tier="deep"),
        cached("What is the capital of Spain?"),
    ],
    ids=["without asking for it", "confidential", "another tier", "another text"],
)
async def test_others_are_answered_anew(tmp_path: Path, other: pb.ChatCompletionRequest) -> None:
    async with rig(tmp_path) as (stub, provider):
        await unary(stub, cached())

        assert not (await unary(stub, other)).HasField("cache_hit")
        assert asked_of(provider) == 2


async def test_a_truncated_answer_is_not_kept(tmp_path: Path) -> None:
    async with rig(tmp_path) as (stub, provider):
        provider.script(Truncate(after_chunks=1), Reply("Whole."))
        with pytest.raises(Exception, match="broke off"):
            await streamed(stub, cached())

        answer = await unary(stub, cached())
        assert (text_of(answer), answer.HasField("cache_hit")) == ("Whole.", False)


async def test_a_caller_who_leaves_leaves_nothing(tmp_path: Path) -> None:
    async with rig(tmp_path) as (stub, provider):
        provider.script(Reply("Paris is it.", chunk_size=1, chunk_delay_s=0.02))
        call = stub.StreamChatCompletion(pb.StreamChatCompletionRequest(request=cached()))
        async for _ in call:
            break
        call.cancel()
        await asyncio.sleep(0.1)

        assert not (await unary(stub, cached())).HasField("cache_hit")


async def test_tool_calls_come_back_as_they_were(tmp_path: Path) -> None:
    tools = [pb.ToolDefinition(name=name, parameters_json_schema="{}") for name in ("add", "sub")]
    request = cached()
    request.tools.extend(tools)
    async with rig(tmp_path) as (stub, provider):
        provider.script(Reply("", tool_calls=(("add", '{"a": 1}'), ("sub", '{"b": 2}'))))
        first, again = await unary(stub, request), await unary(stub, request)

    assert again.HasField("cache_hit")
    assert [call.name for call in again.message.tool_calls] == ["add", "sub"]
    assert (again.message, again.finish_reason) == (first.message, first.finish_reason)


async def test_the_same_meaning_is_found_by_vectors_of_this_machine(tmp_path: Path) -> None:
    text = "explain how a heat pump moves warmth against its natural direction while winter rules outside our home"
    async with rig(tmp_path) as (stub, provider):
        await unary(stub, cached(text, cache_mode=SEMANTIC))
        hit = await unary(stub, cached(f"Please {text}", cache_mode=SEMANTIC))
        exact = await unary(stub, cached(f"Please {text}"))
        other = await unary(stub, cached(text.replace("winter", "summer"), cache_mode=SEMANTIC))

        assert hit.cache_hit.mode == SEMANTIC
        assert 950_000 <= hit.cache_hit.similarity_ppm < 1_000_000
        assert not exact.HasField("cache_hit")
        assert not other.HasField("cache_hit")
        assert asked_of(provider) == 3


async def test_answers_are_cleared_by_model_within_the_organisation(tmp_path: Path) -> None:
    async with ScriptedProvider() as provider, served_router(providers(tmp_path, provider.base_url)) as served:
        stub, ledger = Stub(served.channel), ledger_pb2_grpc.LedgerServiceStub(served.channel)
        await unary(stub, cached())

        async def removed(prefix: str) -> int:
            request = ledger_pb2.InvalidateCacheRequest(model_prefix=prefix, request_id="r")
            return (await ledger.InvalidateCache(request)).removed

        with acting_as(principal(org_id="org-b")):
            assert await removed("one/") == 0
        assert await removed("two/") == 0
        assert await removed("one/") == 1
        assert not (await unary(stub, cached())).HasField("cache_hit")
