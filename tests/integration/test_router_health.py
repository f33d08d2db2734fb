"""Breakers, balancing, keys and probes in the real router, over real HTTP."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from router_service import Stub, chat, router, served_router, unary

from protos.gen.nexus.router.v1 import decision_pb2, decision_pb2_grpc
from protos.gen.nexus.router.v1 import router_pb2 as pb
from shared.errors import NexusError
from shared.testing.scripted_provider import Reply, Rule, ScriptedProvider, Status

FAST = {"breaker_open_s": 0.3, "breaker_open_cap_s": 0.6}


def providers_file(folder: Path, *lines: str) -> Path:
    path = folder / "providers.yaml"
    path.write_text("\n".join(("version: 1", "providers:", *lines)) + "\n", encoding="utf-8")
    return path


async def statuses(stub: Stub) -> dict[str, pb.DeploymentStatus]:
    reply = await stub.ListProviders(pb.ListProvidersRequest(), timeout=5)
    return {f"{each.model}@{each.deployment}": each for p in reply.providers for each in p.deployments}


async def until(stub: Stub, name: str, holds: Callable[[pb.DeploymentStatus], bool]) -> pb.DeploymentStatus:
    async with asyncio.timeout(5):
        while not holds(status := (await statuses(stub))[name]):
            await asyncio.sleep(0.02)
    return status


def is_open(status: pb.DeploymentStatus) -> bool:
    return status.breaker == pb.BREAKER_STATE_OPEN


async def test_a_provider_dies_under_load_and_comes_back_and_no_caller_sees_it(tmp_path: Path) -> None:
    async with ScriptedProvider() as first, ScriptedProvider() as second:
        file = providers_file(
            tmp_path,
            f"  a: {{type: openai_compatible, base_url: '{first.base_url}', models: [{{name: m, chat: true}}]}}",
            f"  b: {{type: openai_compatible, base_url: '{second.base_url}', models: [{{name: m, chat: true}}]}}",
            "chains: {chat: [a/m, b/m]}",
        )
        async with router(file, **FAST, probe_s=0.1) as stub:
            answered: Counter[str] = Counter()
            ending = asyncio.Event()

            async def caller() -> None:
                while not ending.is_set():
                    answered[(await unary(stub, chat())).model] += 1

            async with asyncio.TaskGroup() as callers:
                for _ in range(4):
                    callers.create_task(caller())
                await asyncio.sleep(0.2)
                assert set(answered) == {"a/m"}
                port = int(first.root_url.rpartition(":")[2])
                await first.__aexit__(None, None, None)
                await until(stub, "a/m@default", is_open)
                answered.clear()
                await asyncio.sleep(0.1)
                assert answered["b/m"] > 0
                async with ScriptedProvider(port=port):
                    await until(stub, "a/m@default", lambda s: s.breaker == pb.BREAKER_STATE_CLOSED)
                    answered.clear()
                    await asyncio.sleep(0.2)
                    assert answered["a/m"] > 0
                    ending.set()


async def test_traffic_returns_to_a_model_that_promises_availability_and_its_records_hold(tmp_path: Path) -> None:
    promise = "chat: true, guarantees: {availability: 0.999}"
    # Both are as fast as each other, by a time that can be measured.
    reply = Rule(Reply("Hi", chunk_delay_s=0.02))
    async with ScriptedProvider() as first, ScriptedProvider() as second:
        file = providers_file(
            tmp_path,
            f"  a: {{type: openai_compatible, base_url: '{first.base_url}', models: [",
            f"      {{name: m, {promise}, quality: {{default: 0.8}}}}]}}",
            f"  b: {{type: openai_compatible, base_url: '{second.base_url}', models: [",
            f"      {{name: m, {promise}, quality: {{default: 0.79}}}}]}}",
        )
        async with served_router(file, **FAST, probe_s=0.1) as served:
            stub = Stub(served.channel)
            first.rule(reply)
            second.rule(reply)
            for _ in range(25):
                assert (await unary(stub, chat("auto"))).model == "a/m"
            port = int(first.root_url.rpartition(":")[2])
            await first.__aexit__(None, None, None)
            assert {(await unary(stub, chat("auto"))).model for _ in range(8)} == {"b/m"}
            async with ScriptedProvider(port=port) as again:
                again.rule(reply)
                back = await until(stub, "a/m@default", lambda s: s.seems_back)
                # Decisions look at measurements once a second.
                await asyncio.sleep(1.1)
                answers = [await unary(stub, chat("auto")) for _ in range(3)]
            assert [answer.model for answer in answers] == ["a/m"] * 3
            assert list(back.broken_promises) == ["availability_ppm"]
            log = decision_pb2_grpc.DecisionServiceStub(served.channel)
            events = [event async for event in log.VerifyChain(decision_pb2.VerifyChainRequest(), timeout=10)]
    assert (events[-1].result.valid, events[-1].result.verified) == (True, 36)


@pytest.mark.parametrize("model", ["a/m", "auto"])
async def test_a_refused_key_is_told_by_each_call_and_beside_the_providers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str
) -> None:
    monkeypatch.setenv("ROUTER_TEST_KEY_BAD", "sk-bad")
    async with ScriptedProvider(api_key="sk-good") as provider:
        file = providers_file(
            tmp_path,
            f"  a: {{type: openai_compatible, base_url: '{provider.base_url}', models: [{{name: m, chat: true}}],",
            "      api_key_env: ROUTER_TEST_KEY_BAD}",
        )
        async with router(file) as stub:
            reasons: list[str] = []
            for _ in range(3):
                with pytest.raises(NexusError) as refused:
                    await unary(stub, chat(model))
                reasons.append(refused.value.reason)
                assert "ROUTER_TEST_KEY_BAD" in refused.value.message or len(reasons) == 1
            listed = await stub.ListProviders(pb.ListProvidersRequest(), timeout=5)
    assert reasons == ["PROVIDER_REFUSED_KEY"] * 3
    assert [each.reason for each in listed.unusable] == [
        "It refused its key: the environment variable ROUTER_TEST_KEY_BAD is not right."
    ]


@pytest.fixture
def two_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROUTER_TEST_KEY_BAD", "sk-bad")
    monkeypatch.setenv("ROUTER_TEST_KEY_GOOD", "sk-good")


@pytest.mark.usefixtures("two_keys")
async def test_a_refused_key_is_used_once_and_the_other_one_answers(tmp_path: Path) -> None:
    async with ScriptedProvider(api_key="sk-good") as provider:
        file = providers_file(
            tmp_path,
            f"  a: {{type: openai_compatible, base_url: '{provider.base_url}', models: [{{name: m, chat: true}}],",
            "      api_key_envs: [ROUTER_TEST_KEY_BAD, ROUTER_TEST_KEY_GOOD]}",
            "chains: {chat: [a/m]}",
        )
        async with router(file) as stub:
            for _ in range(6):
                assert (await unary(stub, chat())).model == "a/m"
            status = (await statuses(stub))["a/m@default"]
    assert (status.usable_keys, status.configured_keys) == (1, 2)


async def test_calls_are_spread_over_deployments_by_weight(tmp_path: Path) -> None:
    async with ScriptedProvider() as east, ScriptedProvider() as west:
        file = providers_file(
            tmp_path,
            "  a: {type: openai_compatible, models: [{name: m, chat: true}], deployments: [",
            f"      {{name: east, base_url: '{east.base_url}', weight: 3}},",
            f"      {{name: west, base_url: '{west.base_url}'}}]}}",
            "chains: {chat: [a/m]}",
        )
        async with router(file) as stub:
            for _ in range(8):
                await unary(stub, chat())
            seen = await statuses(stub)
        assert (len(east.requests), len(west.requests)) == (6, 2)
        assert (seen["a/m@east"].measured.calls, seen["a/m@west"].measured.calls) == (6, 2)


async def test_a_limited_deployment_rests_and_its_pause_is_shown(tmp_path: Path) -> None:
    async with ScriptedProvider() as east, ScriptedProvider() as west:
        east.rule(Rule(Status(429, retry_after="30")))
        west.rule(Rule(Reply("Hi")))
        file = providers_file(
            tmp_path,
            "  a: {type: openai_compatible, models: [{name: m, chat: true}], deployments: [",
            f"      {{name: east, base_url: '{east.base_url}'}}, {{name: west, base_url: '{west.base_url}'}}]}}",
            "chains: {chat: [a/m]}",
        )
        async with router(file) as stub:
            for _ in range(4):
                await unary(stub, chat())
            seen = await statuses(stub)
        assert len(east.requests) == 1
        assert seen["a/m@east"].HasField("paused_until")
        assert not seen["a/m@west"].HasField("paused_until")


async def test_what_was_never_called_is_probed_and_says_how_it_is(tmp_path: Path) -> None:
    async with ScriptedProvider() as provider:
        file = providers_file(
            tmp_path,
            f"  there: {{type: openai_compatible, base_url: '{provider.base_url}', models: [{{name: m, chat: true}}]}}",
            "  gone: {type: openai_compatible, base_url: 'http://127.0.0.1:9/v1', models: [{name: m, chat: true}]}",
            "  quiet: {type: openai_compatible, base_url: 'http://127.0.0.1:9/v1', probe: false,",
            "      models: [{name: m, chat: true}]}",
        )
        async with router(file, probe_s=0.1) as stub:
            async with asyncio.timeout(5):
                while True:
                    reply = await stub.ListProviders(pb.ListProvidersRequest(), timeout=5)
                    states = {each.name: each for each in reply.providers}
                    if pb.PROVIDER_STATE_UNKNOWN not in (states["there"].state, states["gone"].state):
                        break
                    await asyncio.sleep(0.05)
    assert states["there"].state == pb.PROVIDER_STATE_AVAILABLE
    assert states["gone"].state == pb.PROVIDER_STATE_FAILING
    assert states["gone"].last_error_reason == "PROVIDER_UNREACHABLE"
    assert states["quiet"].state == pb.PROVIDER_STATE_UNKNOWN
    assert not states["there"].HasField("last_call_time")
