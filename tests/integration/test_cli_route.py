"""`nexus route` against a router that answers as the test says: what is asked, what is printed, how it ends."""

import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mesh.cli.app import app
from protos.gen.nexus.router.v1 import contract_pb2, router_pb2
from protos.gen.nexus.router.v1 import decision_pb2 as pb
from shared.errors import NotFound

sys.path.insert(0, str(Path(__file__).parent / "cli_kit"))
from fake_mesh import fake_mesh

TERMS = ("quality", "cost", "latency")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch):
    for name in ("NEXUS_DATA", "NEXUS_API_KEY", "NEXUS_ADDRESS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def mesh(tmp_path):
    with fake_mesh(tmp_path / "d") as running:
        yield running


@pytest.fixture
def nexus(tmp_path):
    return lambda *arguments, stdin=None: CliRunner().invoke(
        app, [*arguments, "--data", str(tmp_path / "d")], input=stdin
    )


def candidate(model, *values):
    terms = [pb.ScoreTerm(name=name, value=value) for name, value in zip(TERMS, values, strict=True)]
    return pb.RankedCandidate(
        model=model,
        score=sum(values),
        terms=terms,
        expected_cost_micro_usd=125,
        expected_first_token_ms=800,
        expected_total_ms=4200,
    )


def decision(**changes):
    fields = {
        "tier": "balanced",
        "choice": "one/m",
        "features": pb.RequestFeatures(
            task_class="code",
            task_confidence_ppm=800_000,
            complexity_ppm=500_000,
            estimator="features/1",
            input_tokens=31,
            output_tokens=300,
            data_class=contract_pb2.DATA_CLASS_CONFIDENTIAL,
            residency=["eu"],
        ),
        "candidates": [
            candidate("one/m", 500_000_000, -20_000_000, 0),
            candidate("two/m\x1b[2J", 400_000_000, -90_000_000, 0),
        ],
        "rejections": [
            pb.Rejection(model="three/m", step="security", reason="CLEARANCE", detail="cleared for public"),
            pb.Rejection(model="four/m", step="match", reason="SOMETHING_NEW"),
        ],
        "promise": pb.RoutePromise(
            availability_ppm=999_000, max_cost_micro_usd=1000, clearance=contract_pb2.DATA_CLASS_INTERNAL
        ),
        "control": pb.RouteControl(
            chain=[
                pb.ChainLink(model="one/m", tries=2, first_token_timeout_ms=60_000),
                pb.ChainLink(model="two/m", tries=1, first_token_timeout_ms=60_000),
            ],
            max_attempts=3,
            total_timeout_ms=300_000,
            idle_timeout_ms=30_000,
            hedge_after_ms=2000,
        ),
        **changes,
    }
    return pb.Decision(**fields)


def test_a_route_is_explained(mesh, nexus):
    mesh.answers["ExplainRoute"] = lambda _: pb.ExplainRouteResponse(decision=decision())

    shown = nexus("route", "explain", "Sort a list", "--tier", "deep")

    assert shown.exit_code == 0, shown.output
    text = " ".join(shown.stdout.split())
    assert (
        "one/m scores best of 2 models that can take this request (0.480 against 0.310 of two/m\ufffd[2J), "
        "for its quality and its price." in text
    )
    assert "1 one/m 0.480 0.500 -0.020 $0.000125 800 ms 4.2 s" in text
    assert "latency" not in text
    assert "three/m security not cleared for this data cleared for public" in text
    assert "four/m match something new" in text
    assert "one/m (tried 2x) \u2192 two/m (tried 1x)" in text
    assert "a second model is started after 2.0 s of silence" in text
    assert "some model answers with 99.9 %" in text
    assert "costs at most $0.001" in text
    assert "code (80 % sure), complexity 50 %, estimated by features/1" in text
    assert "confidential data, within eu" in text
    assert "\x1b" not in shown.stdout


def test_every_option_of_an_explanation_is_asked(mesh, nexus):
    mesh.answers["ExplainRoute"] = lambda _: pb.ExplainRouteResponse(decision=decision())
    options = ["--model", "one/", "--tier", "fast", "--data-class", "restricted", "--residency", "eu"]
    options += ["--residency", "ch", "--max-cost-usd", "0.0025", "--needs-tools", "--json"]

    shown = nexus("route", "explain", "-", *options, stdin="Hi")

    (asked,) = mesh.requests("ExplainRoute")
    assert asked.request == router_pb2.ChatCompletionRequest(
        model="one/",
        messages=[router_pb2.ChatMessage(role=router_pb2.ROLE_USER, content=[router_pb2.ContentPart(text="Hi")])],
        tools=[router_pb2.ToolDefinition(name="any_tool")],
        routing=router_pb2.RoutingOptions(
            tier="fast",
            data_class=contract_pb2.DATA_CLASS_RESTRICTED,
            residency=["eu", "ch"],
            max_cost_micro_usd=2500,
        ),
    )
    assert json.loads(shown.stdout)["decision"]["choice"] == "one/m"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"choice": "", "candidates": []},
            "No model can take this request: 1 \u00d7 not cleared for this data, 1 \u00d7",
        ),
        ({"choice": "", "candidates": [], "rejections": []}, "No model is configured"),
        ({"candidates": [candidate("one/m", 1, 0, 0)]}, "one/m is the only model"),
        ({"features": pb.RequestFeatures(model="one/m")}, "one/m was asked for by name"),
        ({"features": pb.RequestFeatures(chain=["one/m", "two/m"])}, "one/m comes first in the configured chain"),
    ],
)
def test_why_in_one_sentence(mesh, nexus, changes, sentence):
    mesh.answers["ExplainRoute"] = lambda _: pb.ExplainRouteResponse(decision=decision(**changes))
    shown = nexus("route", "explain", "Hi")
    assert shown.exit_code == 0, shown.output
    assert shown.stdout.startswith(sentence)


def test_decisions_are_listed_a_page_at_a_time(mesh, nexus):
    made = decision(decision_id="d-7", sequence=7)
    mesh.answers["ListDecisions"] = lambda _: pb.ListDecisionsResponse(decisions=[made], next_page_token="tok2")

    shown = nexus("route", "list", "--limit", "1", "--page", "tok1")

    assert mesh.requests("ListDecisions") == [pb.ListDecisionsRequest(page_size=1, page_token="tok1")]
    assert "7  d-7" in shown.stdout
    assert "31 + 300" in shown.stdout
    assert "--page tok2" in shown.stderr
    mesh.answers["ListDecisions"] = lambda _: pb.ListDecisionsResponse()
    assert "No decisions yet" in nexus("route", "list").stderr
    assert json.loads(nexus("route", "list", "--json").stdout)["decisions"] == []


def test_a_decision_is_shown_with_what_became_of_it(mesh, nexus):
    made = decision(decision_id="d-7", sequence=7, record_hash="ab" * 32, previous_hash="cd" * 32)
    attempts = [
        pb.LedgerAttempt(
            attempt_id="a-1",
            model="one/m",
            deployment="eu",
            outcome="failed",
            reason="PROVIDER_TIMEOUT",
            usage=router_pb2.TokenUsage(input_tokens=30),
            estimated=True,
        ),
        pb.LedgerAttempt(attempt_id="a-2", model="two/m", outcome="succeeded", first_token_ms=900, hedge=True),
    ]
    mesh.answers["GetDecision"] = lambda _: pb.GetDecisionResponse(decision=made, attempts=attempts)

    text = " ".join(nexus("route", "show", "d-7").stdout.split())

    assert mesh.requests("GetDecision") == [pb.GetDecisionRequest(decision_id="d-7")]
    assert f"record 7, {'ab' * 32} follows on {'cd' * 32}" in text
    assert "a-1 one/m eu failed: PROVIDER_TIMEOUT 30 + 0 estimated" in text
    assert "a-2 two/m succeeded (hedge) 0 + 0 $0.00 900 ms" in text
    assert len(json.loads(nexus("route", "show", "d-7", "--json").stdout)["attempts"]) == 2


def test_a_verified_decision(mesh, nexus):
    mesh.answers["VerifyDecision"] = lambda _: pb.VerifyDecisionResponse(valid=True, checked_steps=["chain", "record"])
    shown = nexus("route", "verify", "d-7")
    assert shown.exit_code == 0
    assert shown.stdout.splitlines()[:2] == ["\u2713 chain", "\u2713 record"]
    assert "valid" in shown.stdout


def test_a_decision_that_does_not_hold_fails_the_command(mesh, nexus):
    found = pb.VerifyDecisionResponse(
        differing_step="record", detail="the hash is another one", checked_steps=["chain", "record"]
    )
    mesh.answers["VerifyDecision"] = lambda _: found
    shown = nexus("route", "verify", "d-7")
    assert shown.exit_code == 1
    assert shown.stdout.splitlines()[:2] == ["\u2713 chain", "\u2717 record"]
    assert "invalid at record: the hash is another one." in shown.stdout
    shown = nexus("route", "verify", "d-7", "--json")
    assert (shown.exit_code, json.loads(shown.stdout)["valid"]) == (1, False)


def test_refusals(mesh, nexus):
    mesh.answers["GetDecision"] = NotFound("DECISION_UNKNOWN", "There is no decision 'd-9'.")
    assert nexus("route", "show", "d-9").exit_code == 5
    assert nexus("route", "explain", " ").exit_code == 2
    assert nexus("route", "explain", "Hi", "--data-class", "secret").exit_code == 2
    assert nexus("route", "explain", "Hi", "--max-cost-usd", "-1").exit_code == 2


def policy(name, quality, **changes):
    fields = {"routed": 3, "unrouted": 1, "cost_micro_usd": 1_250_000, "judged": 2, **changes}
    shares = [pb.ModelShare(model=f"{letter}/m", requests=1) for letter in "abcdef"]
    return pb.ReplayPolicy(name=name, quality_ppm=quality, shares=shares, **fields)


def test_a_replay_compares_policies(mesh, nexus, tmp_path):
    result = pb.ReplayResult(
        policies=[policy("recorded", 700_000), policy("tried", None, judged=0)],
        curve=[pb.CurvePoint(cost_weight=0, cost_micro_usd=10, quality_ppm=500_000)],
        area_ppm=612_345,
        changed=2,
        skipped=1,
    )
    events = [pb.ReplayDecisionsResponse(decided=2), pb.ReplayDecisionsResponse(result=result)]
    mesh.answers["ReplayDecisions"] = lambda _: events
    rules, table = tmp_path / "rules.yaml", tmp_path / "table.csv"
    rules.write_text("version: 1\n")
    table.write_text("query,model,quality\nHow?,a/m,0.5\n")
    shown = nexus("route", "replay", "--rules", str(rules), "--table", str(table), "--curve", "3")
    assert shown.exit_code == 0, shown.output
    for said in (
        "recorded",
        "1.250000",
        "0.700",
        "unknown",
        "and 2 more",
        "2 requests would go to another model",
        "0.612",
    ):
        assert said in shown.output
    (asked,) = mesh.requests("ReplayDecisions")
    assert (asked.rules_yaml, asked.curve_points, asked.recorded) == ("version: 1\n", 3, 0)
    assert asked.imported.queries[0].results[0].quality_ppm == 500_000
    assert json.loads(nexus("route", "replay", "--recorded", "7", "--json").stdout)["changed"] == 2
    assert mesh.requests("ReplayDecisions")[1].recorded == 7


def test_replays_that_cannot_be_asked_for(mesh, nexus, tmp_path):
    (tmp_path / "empty.yaml").write_text(" \n")
    assert nexus("route", "replay", "--rules", str(tmp_path / "none.yaml")).exit_code == 2
    assert nexus("route", "replay", "--rules", str(tmp_path / "empty.yaml")).exit_code == 2
    assert nexus("route", "replay", "--table", str(tmp_path / "none.csv")).exit_code == 2
    assert nexus("route", "replay", "--recorded", "0").exit_code == 2
    assert mesh.requests("ReplayDecisions") == []


def test_an_outcome_is_reported(mesh, nexus):
    answers = [pb.ReportOutcomeResponse(counted=True, model="a/m", count=3), pb.ReportOutcomeResponse()]
    mesh.answers["ReportOutcome"] = lambda _: answers.pop(0)
    assert "Noted for a/m: 3 outcomes" in nexus("route", "report", "d-7", "0.75").stdout
    assert "has an outcome already" in nexus("route", "report", "d-7", "1").stdout
    first = mesh.requests("ReportOutcome")[0]
    assert (first.decision_id, first.reward_ppm, bool(first.request_id)) == ("d-7", 750_000, True)
    assert nexus("route", "report", "d-7", "1.5").exit_code == 2
