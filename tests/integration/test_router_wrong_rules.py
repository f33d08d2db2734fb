"""A router that starts with wrong rules: who is closed out, what is said, and how it opens again."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from router_service import Stub, chat, providers_file, router, unary

from protos.gen.nexus.router.v1 import router_pb2 as pb
from shared.auth.context import acting_as
from shared.errors import PreconditionFailed
from shared.testing.harness import principal
from shared.testing.scripted_provider import ScriptedProvider

WRONG = 'version: 1\npolicies: |\n  @id("a")\n  permit (principal, acton, resource);\n'
PLACE = "line 4: policies: is no Cedar policy: found an invalid variable in the policy scope: acton (column 22)"
GOOD = "version: 1\n"


async def refused(stub: Stub) -> PreconditionFailed:
    with pytest.raises(PreconditionFailed) as caught:
        await unary(stub, chat())
    assert caught.value.reason == "NO_ROUTE"
    return caught.value


async def opens(stub: Stub) -> None:
    async with asyncio.timeout(5):
        while True:
            try:
                await unary(stub, chat())
            except PreconditionFailed:
                await asyncio.sleep(0.02)
            else:
                return


async def test_an_organisation_with_a_wrong_file_is_closed_out_and_nobody_else(tmp_path: Path) -> None:
    rules = tmp_path / "routing" / "organisations" / "org-a.yaml"
    rules.parent.mkdir(parents=True)
    rules.write_text(WRONG)
    async with ScriptedProvider() as provider:
        async with router(providers_file(tmp_path, one=("openai_compatible", provider.base_url))) as stub:
            with acting_as(principal(org_id="org-a")):
                error = await refused(stub)
                assert error.metadata["rules"] == f"routing/organisations/org-a.yaml {PLACE}"
                assert PLACE in (await stub.ListProviders(pb.ListProvidersRequest())).config_error
            with acting_as(principal(org_id="org-b")):
                # Who may see all of the configuration is told what is wrong, whose ever it is.
                assert PLACE in (await stub.ListProviders(pb.ListProvidersRequest())).config_error
            with acting_as(principal(org_id="org-b", permissions=("models.use", "providers.read"))):
                assert (await unary(stub, chat())).model == "one/m"
                said = (await stub.ListProviders(pb.ListProvidersRequest())).config_error
                assert said == "routing/organisations/ the rules of another organisation are wrong"
            rules.write_text(GOOD)
            with acting_as(principal(org_id="org-a")):
                await opens(stub)
        # Whoever was refused reached no provider.
        assert len(provider.requests) == 2


async def test_a_wrong_file_of_the_platform_closes_out_everybody(tmp_path: Path) -> None:
    rules = tmp_path / "routing" / "platform.yaml"
    rules.parent.mkdir(parents=True)
    rules.write_text(WRONG)
    async with (
        ScriptedProvider() as provider,
        router(providers_file(tmp_path, one=("openai_compatible", provider.base_url))) as stub,
    ):
        for org_id in ("org-a", "org-b"):
            with acting_as(principal(org_id=org_id)):
                assert f"routing/platform.yaml {PLACE}" in (await refused(stub)).message
        rules.write_text(GOOD)
        await opens(stub)
