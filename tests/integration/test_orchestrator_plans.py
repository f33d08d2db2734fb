"""The strategy for models that call no tools, through the router, whose contracts say what their models take."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from orchestrator_fakes import FakeEmbedder
from router_service import served_router

from orchestrator.adapters.model_client_grpc import GrpcModelClient
from orchestrator.adapters.prompt_book_files import FilePromptBook
from orchestrator.adapters.tool_strategy_similarity import SimilarityToolStrategy
from orchestrator.domain.tools import Tool
from orchestrator.ports.tool_strategy import PlannedCall, PlanRequest
from shared.testing.scripted_provider import Reply, ScriptedProvider

PARCEL = Tool(
    "send_parcel",
    "Sends a parcel.",
    '{"type":"object","properties":{"to":{"type":"string"}},"required":["to"]}',
    5.0,
    ("send a parcel to Anna",),
)
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
PROVIDERS = """\
version: 1
providers:
  p0:
    type: openai_compatible
    base_url: '{url}'
    models: [{{name: m, chat: true, json_schema: true, traits: {{temperature: false, stop: false}}}}]
"""


async def test_a_model_that_refuses_parameters_writes_the_arguments_of_a_tool(tmp_path: Path) -> None:
    file = tmp_path / "providers.yaml"
    async with ScriptedProvider() as provider:
        provider.script(Reply(text='{"to":"Bob"}'))
        file.write_text(PROVIDERS.format(url=provider.base_url))
        async with served_router(file) as served:
            strategy = SimilarityToolStrategy(FakeEmbedder(), GrpcModelClient(served.channel), FilePromptBook())
            asked = PlanRequest("send a parcel to Bob", (PARCEL,), NOW, "p0/m", 5.0, "run-1:plan")
            plan = await strategy.plan(asked)
    assert plan.calls == (PlannedCall("send_parcel", '{"to":"Bob"}'),)
    assert [usage.model for usage in plan.usage] == ["p0/m"]
