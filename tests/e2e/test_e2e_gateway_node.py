"""The npm packages `openai` and `@anthropic-ai/sdk` against the gateway: the programs are in `node/`."""

from __future__ import annotations

import json

import pytest
from gateway_fixtures import EMBEDDER, MODELS, Gateway
from node_packages import PROGRAMS, run


@pytest.mark.usefixtures("packages")
@pytest.mark.parametrize("model", MODELS.values())
@pytest.mark.parametrize("program", ["openai_client.mjs", "anthropic_client.mjs"])
def test_the_usual_programs_run_unchanged(gateway: Gateway, program: str, model: str) -> None:
    told = run(
        "node",
        program,
        timeout_s=60,
        GATEWAY_URL=gateway.url,
        GATEWAY_KEY=gateway.key,
        GATEWAY_MODEL=model,
        GATEWAY_EMBEDDER=EMBEDDER,
    )
    steps = [json.loads(line) for line in told.splitlines()]
    assert len(steps) >= 10
    assert [f"{step['name']}: {step['failure']}" for step in steps if step["failure"]] == []


def test_the_lock_file_names_no_registry() -> None:
    assert "resolved" not in (PROGRAMS / "package-lock.json").read_text()
