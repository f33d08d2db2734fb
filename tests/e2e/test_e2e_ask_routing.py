"""What becomes of a question when its models may not, or cannot, be used: on a whole mesh, with the `nexus` command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from routing_fixtures import IN_FORCE_S, LARGE, LOCAL, SMALL, RoutedMesh, eventually, plain

from shared.testing.running_mesh import RunningMesh

NEXUS = Path(sys.executable).with_name("nexus")
HELLO = "Hello, how are you?"


def asked(mesh: RunningMesh, *arguments: str) -> tuple[list[dict], dict[str, str], str]:
    """The events of a question, its warnings by code, and the model that answered."""
    done = mesh.cli("ask", HELLO, *arguments, "--json")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    warnings = {event["warning"]["code"]: event["warning"]["message"] for event in events if "warning" in event}
    models = [event["usage_reported"]["model"] for event in events if "usage_reported" in event]
    return events, warnings, models[-1] if models else ""


def failure(events: list[dict]) -> dict:
    return events[-1]["run_failed"]["failure"]


def refused_and_why(routed: RoutedMesh, *arguments: str) -> str:
    done = routed.mesh.cli("ask", HELLO, *arguments)
    assert done.returncode == 1, done.stdout
    return done.stderr


def test_a_spent_budget_leaves_the_model_that_is_free(routed: RoutedMesh) -> None:
    with routed.edited("limits.yaml", lambda limits: limits.replace("period: day, usd: 1000", "period: day, usd: 0")):
        eventually(lambda: asked(routed.mesh)[2] == LOCAL, IN_FORCE_S * 10)
        events, warnings, _ = asked(routed.mesh)
        assert "run_finished" in events[-1]
        assert (
            f"Answered by the small demonstration model {LOCAL}, since money is short" in warnings["BUDGET_EXHAUSTED"]
        )
        assert "It starts anew at" in warnings["BUDGET_EXHAUSTED"]
        named, _, _ = asked(routed.mesh, "--model", SMALL)
        assert failure(named)["reason"] == "BUDGET_EXHAUSTED"
        assert "It starts anew at" in failure(named)["message"]
    eventually(lambda: asked(routed.mesh)[2] == SMALL, IN_FORCE_S * 10)


def test_the_first_question_to_dead_providers_is_answered_as_each_later_one(routed: RoutedMesh) -> None:
    routed.small.die()
    routed.large.die()
    for _ in range(4):
        events, warnings, model = asked(routed.mesh)
        assert ("run_finished" in events[-1], model) == (True, LOCAL), events[-1]
        told = warnings["ALL_MODELS_FAILED"]
        for provider in ("thrifty", "strong"):
            assert f"{provider} could not be reached" in told
            assert "(PROVIDER_UNREACHABLE)" in told

    def without_local(providers: str) -> str:
        lines = providers.splitlines(keepends=True)
        return "".join(line for line in lines if "name: chat, chat: true" not in line)

    with routed.edited("providers.yaml", without_local):
        eventually(lambda: "run_failed" in asked(routed.mesh)[0][-1], IN_FORCE_S * 10)
        told = failure(asked(routed.mesh)[0])
    assert told["reason"] == "ALL_MODELS_FAILED"
    for provider in ("thrifty", "strong"):
        assert f"{provider} could not be reached" in told["message"]
    routed.small.start()
    routed.large.start()
    # Breakers stay open for a while.
    for model in (SMALL, LARGE):
        eventually(lambda model=model: asked(routed.mesh, "--model", model)[2] == model)


@pytest.mark.parametrize(
    ("options", "model", "warning"),
    [
        ((), SMALL, ""),
        (("--tier", "deep"), LARGE, ""),
        (("--data-class", "confidential"), LARGE, ""),
        (("--residency", "eu"), LARGE, ""),
        (("--data-class", "restricted"), LOCAL, "NO_ROUTE"),
        (("--max-cost-usd", "0"), LOCAL, "NO_ROUTE"),
    ],
)
def test_a_question_goes_where_its_options_let_it(
    routed: RoutedMesh, options: tuple[str, ...], model: str, warning: str
) -> None:
    events, warnings, answered = asked(routed.mesh, *options)
    assert ("run_finished" in events[-1], answered) == (True, model), events[-1]
    assert set(warnings) - {"OFFLINE_MODEL"} == ({warning} if warning else set())


def test_a_cached_answer_will_do_where_that_is_said(routed: RoutedMesh) -> None:
    costs, hits = [], []
    for option in ("--cache", "--cache", "--no-cache"):
        events, _, _ = asked(routed.mesh, "--model", LARGE, option)
        (reported,) = (event["usage_reported"] for event in events if "usage_reported" in event)
        costs.append(int(reported.get("cost_micro_usd", 0)))
        hits.append(reported.get("cache_hit", {}).get("mode"))
    assert costs[0] > 0
    assert costs[1:] == [0, costs[0]]
    assert hits == [None, "CACHE_MODE_EXACT", None]
    assert "from the cache, " in routed.mesh.cli("ask", HELLO, "--model", LARGE, "--cache").stderr


def test_where_no_model_may_answer_each_is_named_with_what_excluded_it(routed: RoutedMesh) -> None:
    options = ("--data-class", "restricted", "--residency", "eu")
    told = refused_and_why(routed, *options)
    assert f"{SMALL}, {LARGE} at security (CLEARANCE)" in told or f"{LARGE}, {SMALL} at security (CLEARANCE)" in told
    assert f"{LOCAL} at security (RESIDENCY)" in told
    advice = told.split("`nexus route explain")[1].split("`")[0]
    assert advice == f" '{HELLO}' --data-class restricted --residency eu"


def test_a_broken_file_is_told_with_its_line_wherever_somebody_looks(routed: RoutedMesh) -> None:
    broken = {
        "limits.yaml": lambda text: f"{text}  - {{scope: galaxy, period: day, usd: 5}}\n",
        "routing/platform.yaml": lambda _: "version: 1\ntiers: [\n",
        "contracts/acme.yaml": lambda _: "version: 1\ncontracts:\n  - modle: x\n",
    }
    for name, change in broken.items():
        with routed.edited(name, change):
            eventually(lambda name=name: f"{name} line" in routed.mesh.cli("status").stderr, IN_FORCE_S * 10)
            (found,) = (
                check for check in doctors_checks(routed) if check["check"] == name and check["level"] == "fail"
            )
            assert f"{name} line" in found["detail"]
            assert "Correct the file" in found["remedy"]
        eventually(lambda name=name: f"{name} line" not in routed.mesh.cli("status").stderr, IN_FORCE_S * 10)


def doctors_checks(routed: RoutedMesh) -> list[dict]:
    return json.loads(routed.mesh.cli("doctor", "--json").stdout)["checks"]


@pytest.fixture
def broken_mesh(tmp_path: Path) -> Iterator[tuple[RunningMesh, str]]:
    """A mesh that was started with a broken providers file, and what `nexus up` said beside its table."""
    config = tmp_path / "config"
    config.mkdir()
    providers = config / "providers.yaml"
    providers.write_text("version: 1\nproviders:\n  acme:\n    type: acme_compatible\n")
    kept = ("PATH", "HOME", "NEXUS_WEIGHTS_DIR")
    environment = {name: os.environ[name] for name in kept if name in os.environ}
    environment |= {"NEXUS_DATA": str(tmp_path / "data"), "NEXUS_CONFIG_DIR": str(config)}
    command = [str(NEXUS), "up", "--detach", "--port-base", "0"]
    up = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    try:
        assert up.returncode == 0, up.stderr
        yield RunningMesh(tmp_path / "data", providers, environment), up.stderr
    finally:
        subprocess.run([str(NEXUS), "down"], env=environment, capture_output=True, timeout=60, check=False)


def test_a_mesh_that_starts_without_its_providers_says_so_and_mends_itself(
    broken_mesh: tuple[RunningMesh, str],
) -> None:
    mesh, said_at_the_start = broken_mesh
    place = "providers.yaml line 3: providers.acme"
    assert place in plain(said_at_the_start)
    assert place in plain(mesh.cli("status").stderr)
    events, _, _ = asked(mesh)
    assert failure(events)["reason"] == "NO_CHAT_MODEL"
    assert place in failure(events)["message"]
    mesh.providers_file.write_text(
        "version: 1\nproviders:\n  local:\n    type: local\n    models:\n"
        "      - {name: chat, chat: true, context_length: 4096, max_output_tokens: 256, demonstration: true}\n"
        "  acme:\n    type: openai_compatible\n    base_url: http://127.0.0.1:9/v1\n    api_key_env: ACME_WALK_KEY\n"
        "    models: [{name: big, chat: true, tool_calling: true}]\n"
    )
    eventually(lambda: "line" not in mesh.cli("status").stderr, IN_FORCE_S * 10)
    # The orchestrator remembers the models for a second.
    eventually(lambda: asked(mesh)[2] == LOCAL, IN_FORCE_S * 10)
    _, warnings, _ = asked(mesh)
    assert "the environment variable ACME_WALK_KEY is not set or empty" in warnings["CONFIGURATION_PROBLEM"]
    assert "ACME_WALK_KEY" in mesh.cli("providers", "list").stderr
