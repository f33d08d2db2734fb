"""Embeddings go through the same gate as chats: no text reaches a provider that it must not reach."""

from __future__ import annotations

from pathlib import Path

import pytest
from router_service import Stub, served_router

from protos.gen.nexus.router.v1 import decision_pb2, decision_pb2_grpc
from protos.gen.nexus.router.v1 import router_pb2 as pb
from shared.client import translated_errors
from shared.errors import NexusError
from shared.testing.scripted_provider import ScriptedProvider

FORBID = '@id("no-embeddings") forbid(principal, action, resource) when { context.operation == "embed" };'
EVERYWHERE = "version: 1\n"


def file_of(folder: Path, url: str, clearance: str = "internal") -> Path:
    file = folder / "providers.yaml"
    model = f"{{name: e, embeddings: true, privacy: {{clearance: {clearance}}}}}"
    file.write_text(
        "version: 1\nproviders:\n"
        f"  one: {{type: openai_compatible, base_url: '{url}', models: [{model}]}}\n"
        "chains: {embed: one/e}\n",
        encoding="utf-8",
    )
    return file


def rules(folder: Path, text: str) -> None:
    (folder / "routing").mkdir()
    (folder / "routing" / "platform.yaml").write_text(text, encoding="utf-8")


async def embed(stub: Stub) -> pb.EmbedResponse:
    async with translated_errors("router"):
        return await stub.Embed(pb.EmbedRequest(inputs=["secret", "more"]), timeout=5)


@pytest.mark.parametrize(
    ("clearance", "text"),
    [
        ("internal", f"version: 1\npolicies: |\n  {FORBID}\n"),
        ("internal", "version: 1\ndefault_data_class: confidential\n"),
        ("public", EVERYWHERE),
    ],
    ids=["policy", "class of data", "clearance"],
)
async def test_texts_stay_where_they_may_be(tmp_path: Path, clearance: str, text: str) -> None:
    rules(tmp_path, text)
    async with ScriptedProvider() as one, served_router(file_of(tmp_path, one.base_url, clearance)) as served:
        with pytest.raises(NexusError) as refusal:
            await embed(Stub(served.channel))
        assert refusal.value.reason == "NO_ROUTE"
        assert one.requests == []


async def test_what_may_be_embedded_has_a_record_that_replays(tmp_path: Path) -> None:
    async with ScriptedProvider() as one, served_router(file_of(tmp_path, one.base_url)) as served:
        assert len((await embed(Stub(served.channel))).embeddings) == 2
        stub = decision_pb2_grpc.DecisionServiceStub(served.channel)
        (decision,) = (await stub.ListDecisions(decision_pb2.ListDecisionsRequest(), timeout=5)).decisions
        found = await stub.GetDecision(decision_pb2.GetDecisionRequest(decision_id=decision.decision_id), timeout=5)
        assert [attempt.model for attempt in found.attempts] == ["one/e"]
        verified = await stub.VerifyDecision(
            decision_pb2.VerifyDecisionRequest(decision_id=decision.decision_id), timeout=5
        )
        assert verified.valid
