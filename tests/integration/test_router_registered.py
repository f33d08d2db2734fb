"""A contract that is registered over gRPC is called like every other; one that changes disturbs nobody in flight."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from router_service import Stub, chat, providers_file, served_router, streamed, text_of, unary

from protos.gen.nexus.router.v1 import contract_pb2 as pb
from protos.gen.nexus.router.v1 import contract_pb2_grpc
from shared.client import translated_errors
from shared.errors import NexusError, NotFound
from shared.testing.harness import Served, principal
from shared.testing.scripted_provider import Reply, ScriptedProvider

CHAT = pb.Capabilities(operations=[pb.OPERATION_CHAT], streaming=True)
PRIVACY = pb.Privacy(clearance=pb.DATA_CLASS_INTERNAL, encrypted=True)


def contract(name: str = "one/tuned", **fields: object) -> pb.Contract:
    price = pb.Price(effective_date="2020-01-01", rates=pb.Rates(input_micro_usd=3_000_000, output_micro_usd=6_000_000))
    return pb.Contract(**{"name": name, "capabilities": CHAT, "privacy": PRIVACY, "prices": [price], **fields})


def registry_of(served: Served, org_id: str = "org-a") -> contract_pb2_grpc.RegistryServiceStub:
    return contract_pb2_grpc.RegistryServiceStub(served.channel_as(principal(org_id=org_id)))


async def register(served: Served, given: pb.Contract) -> pb.Contract:
    async with translated_errors("router"):
        request = pb.RegisterContractRequest(contract=given, request_id="r1")
        return (await registry_of(served).RegisterContract(request, timeout=5)).contract


async def listed(served: Served, org_id: str = "org-a") -> dict[str, pb.RegisteredContract]:
    reply = await registry_of(served, org_id).ListContracts(pb.ListContractsRequest(), timeout=5)
    return {each.contract.name: each for each in reply.contracts}


async def test_a_registered_contract_is_called_by_its_own_organisation(tmp_path: Path) -> None:
    async with ScriptedProvider() as one:
        one.script(Reply("Hello"))
        file = providers_file(tmp_path, one=("openai_compatible", one.base_url))
        async with served_router(file) as served:
            await register(served, contract())
            answer = await unary(Stub(served.channel), chat("one/tuned"))
            assert (answer.model, text_of(answer)) == ("one/tuned", "Hello")
            assert one.requests[-1].model == "tuned"
            assert answer.cost_micro_usd == answer.usage.input_tokens * 3 + answer.usage.output_tokens * 6
            with pytest.raises(NexusError):
                await unary(Stub(served.channel_as(principal(org_id="org-b"))), chat("one/tuned"))
            assert "one/tuned" not in await listed(served, "org-b")
        async with served_router(file) as served:
            assert (await unary(Stub(served.channel), chat("one/tuned"))).model == "one/tuned"


async def test_what_was_measured_is_shown_beside_the_promise(tmp_path: Path) -> None:
    async with ScriptedProvider() as one:
        file = providers_file(tmp_path, one=("openai_compatible", one.base_url))
        async with served_router(file) as served:
            await register(served, contract())
            for _ in range(3):
                await unary(Stub(served.channel), chat("one/tuned"))
            shown = (await listed(served))["one/tuned"]
            assert (shown.measured.calls, shown.measured.success_ppm, shown.from_file) == (3, 1_000_000, False)


async def test_a_stream_in_flight_outlives_its_contract(tmp_path: Path) -> None:
    async with ScriptedProvider() as one:
        one.script(Reply("a rather slow answer", chunk_size=2, chunk_delay_s=0.03))
        file = providers_file(tmp_path, one=("openai_compatible", one.base_url))
        async with served_router(file) as served:
            await register(served, contract())
            answer = asyncio.create_task(streamed(Stub(served.channel), chat("one/tuned")))
            while not one.requests:
                await asyncio.sleep(0.005)
            removal = pb.DeregisterContractRequest(name="one/tuned", request_id="d1")
            await registry_of(served).DeregisterContract(removal, timeout=5)
            assert not answer.done()
            assert text_of(await answer) == "a rather slow answer"
            with pytest.raises(NexusError) as caught:
                await unary(Stub(served.channel), chat("one/tuned"))
            assert caught.value.reason == "MODEL_UNKNOWN"


async def test_a_provider_that_goes_suspends_and_brings_back(tmp_path: Path) -> None:
    async with ScriptedProvider() as one, ScriptedProvider() as two:
        file = providers_file(tmp_path, one=("openai_compatible", one.base_url))
        async with served_router(file) as served:
            await register(served, contract())
            providers_file(tmp_path, two=("openai_compatible", two.base_url))
            async with asyncio.timeout(3):
                while not (await listed(served))["one/tuned"].suspended_reason:
                    await asyncio.sleep(0.01)
            assert "two/m" in await listed(served)
            providers_file(tmp_path, one=("openai_compatible", one.base_url))
            async with asyncio.timeout(3):
                while (await listed(served))["one/tuned"].suspended_reason:
                    await asyncio.sleep(0.01)
            assert (await unary(Stub(served.channel), chat("one/tuned"))).model == "one/tuned"


async def test_a_watcher_sees_a_change_of_the_files_within_a_second(tmp_path: Path) -> None:
    async with ScriptedProvider() as one:
        file = providers_file(tmp_path, one=("openai_compatible", one.base_url))
        async with served_router(file) as served:
            call = registry_of(served).WatchContracts(pb.WatchContractsRequest(), timeout=10)
            first = await call.read()
            file.write_text(file.read_text().replace("name: m,", "name: m2,").replace("one/m]", "one/m2]"))
            async with asyncio.timeout(1):
                second = await call.read()
            assert [each.name for each in second.contracts] == ["one/e", "one/m2"]
            assert second.registry_version > first.registry_version
            call.cancel()


async def test_shipped_contracts_and_prices_are_reloaded_too(tmp_path: Path) -> None:
    async with ScriptedProvider() as one:
        (tmp_path / "contracts").mkdir()
        shipped = tmp_path / "contracts" / "house.yaml"
        text = (
            "version: 1\ncontracts:\n  - model: m\n    capabilities: {operations: [chat]}\n"
            "    privacy: {clearance: internal}\n    prices: [{from: 2020-01-01, input: 1, output: 1}]\n"
        )
        shipped.write_text(text)
        file = tmp_path / "providers.yaml"
        file.write_text(
            f"version: 1\nproviders:\n  one: {{type: openai_compatible, catalog: house, base_url: '{one.base_url}', "
            "models: [m]}\nchains: {chat: [one/m]}\n"
        )
        async with served_router(file) as served:
            stub = Stub(served.channel)
            before = await unary(stub, chat())
            shipped.write_text(text.replace("input: 1,", "input: 5,"))
            async with asyncio.timeout(3):
                while (await listed(served))["one/m"].contract.prices[0].rates.input_micro_usd != 5_000_000:
                    await asyncio.sleep(0.01)
            after = await unary(stub, chat())
            assert after.cost_micro_usd == before.cost_micro_usd + 4 * before.usage.input_tokens
            shipped.write_text("nonsense: [")
            await asyncio.sleep(0.1)
            assert (await unary(stub, chat())).model == "one/m"
            with pytest.raises(NotFound):
                async with translated_errors("router"):
                    await registry_of(served).GetContract(pb.GetContractRequest(name="one/none"), timeout=5)
