"""The providers file changes while the router serves."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from router_service import Stub, chat, providers_file, router, streamed, text_of, unary

from protos.gen.nexus.router.v1 import router_pb2 as pb
from shared.errors import PreconditionFailed
from shared.testing.scripted_provider import Reply, ScriptedProvider


async def until(stub: Stub, holds: Callable[[pb.ListProvidersResponse], bool]) -> pb.ListProvidersResponse:
    async with asyncio.timeout(3):
        while not holds(response := await stub.ListProviders(pb.ListProvidersRequest())):
            await asyncio.sleep(0.01)
    return response


def version(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


async def test_a_changed_file_is_taken_and_a_wrong_one_is_refused_whole(tmp_path: Path) -> None:
    async with ScriptedProvider() as one, ScriptedProvider() as two:
        file = providers_file(tmp_path, one=("openai_compatible", one.base_url))
        first = version(file)
        async with router(file) as stub:
            assert (await stub.ListProviders(pb.ListProvidersRequest())).config_version == first

            providers_file(tmp_path, two=("openai_compatible", two.base_url))
            second, good = version(file), file.read_text()
            await until(stub, lambda r: r.config_version == second)
            assert (await unary(stub, chat())).model == "two/m"

            # Wrong in one place: nothing of it is taken, not even what is right.
            file.write_text(good.replace("two:", "three:").replace("chat: true", "chat: maybe"))
            seen = await until(stub, lambda r: bool(r.config_error))
            assert "providers.yaml line 3: providers.three.models[0].chat" in seen.config_error
            assert seen.config_version == second
            assert [provider.name for provider in seen.providers] == ["two"]
            assert (await unary(stub, chat())).model == "two/m"

            file.unlink()
            seen = await until(stub, lambda r: "cannot be read" in r.config_error)
            assert seen.config_version == second
            assert (await unary(stub, chat())).model == "two/m"

            file.write_text(good)
            seen = await until(stub, lambda r: not r.config_error)
            assert seen.config_version == second


async def test_a_stream_in_flight_keeps_its_configuration(tmp_path: Path) -> None:
    async with ScriptedProvider() as one, ScriptedProvider() as two:
        one.script(Reply("a rather slow answer", chunk_size=2, chunk_delay_s=0.05))
        file = providers_file(tmp_path, one=("openai_compatible", one.base_url))
        async with router(file) as stub:
            answer = asyncio.create_task(streamed(stub, chat()))
            while not one.requests:
                await asyncio.sleep(0.005)
            providers_file(tmp_path, two=("openai_compatible", two.base_url))
            await until(stub, lambda r: [p.name for p in r.providers] == ["two"])
            assert not answer.done()
            assert text_of(await answer) == "a rather slow answer"
            assert (await unary(stub, chat())).model == "two/m"


@pytest.mark.parametrize("content", [None, "providers: [", "x" * 2_000_000])
async def test_a_router_without_a_good_file_serves_and_says_why(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "providers.yaml"
    if content is not None:
        file.write_text(content)
    async with ScriptedProvider() as one, router(file) as stub:
        seen = await stub.ListProviders(pb.ListProvidersRequest())
        assert (seen.config_version, len(seen.providers)) == ("", 0)
        assert seen.config_error.startswith("providers.yaml ")
        assert str(tmp_path) not in seen.config_error
        with pytest.raises(PreconditionFailed) as caught:
            await unary(stub, chat())
        assert caught.value.reason == "NO_MODEL_CONFIGURED"
        providers_file(tmp_path, one=("openai_compatible", one.base_url))
        await until(stub, lambda r: not r.config_error)
        assert (await unary(stub, chat())).model == "one/m"
