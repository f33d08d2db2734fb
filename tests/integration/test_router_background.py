"""A mistake in the work beside the calls ends no call and no router."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from prometheus_client import REGISTRY
from router_service import chat, providers_file, router, unary

from provider_router.adapters.deployment_metrics import DeploymentGauges
from provider_router.adapters.rewards_sqlite import SqliteRewards
from provider_router.use_cases.recover_attempts import RecoverAttempts
from shared.testing.scripted_provider import ScriptedProvider


def failures(work: str) -> float:
    labels = {"work": work, "reason": "INTERNAL"}
    return REGISTRY.get_sample_value("nexus_background_failures_total", labels) or 0.0


async def mistaken(*_: object) -> None:
    raise RuntimeError("nobody thought of that")


@pytest.mark.parametrize(
    ("work", "owner", "method"),
    [("gauges", DeploymentGauges, "run"), ("rewards", SqliteRewards, "watch"), ("recovery", RecoverAttempts, "watch")],
)
async def test_the_router_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, work: str, owner: type, method: str
) -> None:
    monkeypatch.setattr(owner, method, mistaken)
    before = failures(work)
    async with (
        ScriptedProvider() as provider,
        router(providers_file(tmp_path, one=("openai_compatible", provider.base_url))) as stub,
    ):
        async with asyncio.timeout(5):
            while failures(work) == before:
                await asyncio.sleep(0.01)
        assert (await unary(stub, chat())).model == "one/m"
