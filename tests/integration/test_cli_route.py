"""`nexus route` against a router that answers as the test says: what is asked, what is printed, how it ends.

All of it is printed into a pipe, 80 columns wide.
"""

import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mesh.cli.app import app
from protos.gen.nexus.agent.v1 import agent_pb2
from protos.gen.nexus.router.v1 import contract_pb2, router_pb2
from protos.gen.nexus.router.v1 import decision_pb2 as pb
from shared.errors import InvalidInput, NotFound

sys.path.insert(0, str(Path(__file__).parent / "cli_kit"))
from fake_mesh import fake_mesh

TERMS = ("quality", "cost", "latency")
COLUMNS = 80


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch):
    for name in ("NEXUS_DATA", "NEXUS_API_KEY", "NEXUS_ADDRESS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", str(COLUMNS))


@pytest.fixture
def mesh(tmp_path):
    with fake_mesh(tmp_path / "d") as running:
        yield running


@pytest.fixture
def nexus(tmp_path):
    def call(*arguments, stdin=None):
        done = CliRunner().invoke(app, [*arguments, "--data", str(tmp_path / "d")], input=stdin)
        if "--json" not in arguments:
            assert max(map(len, done.stdout.splitlines()), default=0) <= COLUMNS, done.stdout
        return done

    return call


@pytest.fixture
def asking(mesh):
    """The orchestrator says what it would send: a request with one tool; after a refusal what the test says."""
    sent = {"": previewed("With tools", tools=[router_pb2.ToolDefinition(name="calculator")])}
    mesh.answers["PreviewQuery"] = lambda asked: sent.get(asked.refused_reason, agent_pb2.PreviewQueryResponse())
    return sent


def previewed(text, *, guided=False, **fields):
    said = router_pb2.ChatMessage(role=router_pb2.ROLE_USER, content=[router_pb2.ContentPart(text=text)])
    request = router_pb2.ChatCompletionRequest(messages=[said], max_output_tokens=4096, **fields)
    return agent_pb2.PreviewQueryResponse(request=request, guided=guided)


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


def test_a_route_is_explained(mesh, nexus, asking):
    mesh.answers["ExplainRoute"] = lambda _: pb.ExplainRouteResponse(decision=decision())

    shown = nexus("route", "explain", "Sort a list", "--tier", "deep")

    assert shown.exit_code == 0, shown.output
    text = " ".join(shown.stdout.split())
    assert (
        "one/m scores best of 2 models that can take this request (0.480 against 0.310 of two/m\ufffd[2J), "
        "for its quality and its price." in text
    )
    assert "1 one/m 0.480 $0.000125 800 ms 4.2 s" in text
    assert "one/m quality=0.500 cost=-0.020 two/m" in text
    assert "latency" not in text
    assert "three/m security not cleared for this data (cleared for public)" in text
    assert "four/m match something new" in text
    assert "one/m (tried 2x) \u2192 two/m (tried 1x)" in text
    assert "a second model is started after 2.0 s of silence" in text
    assert "some model answers with 99.9 %" in text
    assert "costs at most $0.001" in text
    assert "code (80 % sure), complexity 0.50 of 1, estimated by features/1" in text
    assert "with instructions, 1 tool, at most 4096 tokens" in shown.stderr
    assert "confidential data, within eu" in text
    assert "\x1b" not in shown.stdout


def test_who_stands_behind_the_others_whatever_the_score_says_why(mesh, nexus, asking):
    weak = candidate("weak/m", -99_950_000_000, -300_000_000, 0)
    down = candidate("down/m", 400_000_000, 0, 0)
    down.terms.add(name="risk", value=-1_000_000_800_000_000)
    candidates = [candidate("one/m", 500_000_000, -20_000_000, 0), weak, down]
    mesh.answers["ExplainRoute"] = lambda _: pb.ExplainRouteResponse(decision=decision(candidates=candidates))
    shown = " ".join(nexus("route", "explain", "Hi").stdout.split())
    assert "down/m: cannot be called at the moment (breaker, pause or load), so behind all that can." in shown
    assert "weak/m: weaker than the tier wants, so behind those that are not." in shown
    assert "2 weak/m -100.250" in shown


def test_every_option_of_an_explanation_is_asked(mesh, nexus):
    mesh.answers["ExplainRoute"] = lambda _: pb.ExplainRouteResponse(decision=decision())
    options = ["--model", "one/", "--tier", "fast", "--data-class", "restricted", "--residency", "eu"]
    options += ["--residency", "ch", "--max-cost-usd", "0.0025", "--tools", "--json"]

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
    assert mesh.requests("PreviewQuery") == []


def test_what_is_explained_is_what_the_orchestrator_would_send(mesh, nexus, asking):
    mesh.answers["ExplainRoute"] = lambda _: pb.ExplainRouteResponse(decision=decision())
    options = ["--model", "one/m", "--tier", "fast", "--data-class", "restricted", "--residency", "eu"]

    nexus("route", "explain", "Hi", *options, "--max-cost-usd", "0.0025", "--conversation", "c-1")

    (asked,) = mesh.requests("PreviewQuery")
    assert asked.query == agent_pb2.QueryAgentRequest(
        question="Hi",
        model="one/m",
        conversation_id="c-1",
        routing=agent_pb2.RunRouting(
            tier="fast",
            data_class=contract_pb2.DATA_CLASS_RESTRICTED,
            residency=["eu"],
            max_cost_micro_usd=2500,
        ),
    )
    (explained,) = mesh.requests("ExplainRoute")
    assert explained.request == asking[""].request


@pytest.mark.parametrize("model", ["auto", "one/"])
def test_a_choice_among_models_is_for_the_router_alone(mesh, nexus, asking, model):
    mesh.answers["ExplainRoute"] = lambda _: pb.ExplainRouteResponse(decision=decision())
    nexus("route", "explain", "Hi", "--model", model)
    assert mesh.requests("PreviewQuery")[0].query.model == ""
    assert mesh.requests("ExplainRoute")[0].request.model == model


def refused(reason, message, **changes):
    nothing = decision(**{"choice": "", "candidates": [], "control": None, "promise": None, **changes})
    return pb.ExplainRouteResponse(decision=nothing, refusal=pb.RouteRefusal(reason=reason, message=message))


def test_a_refusal_is_told_with_its_reason_and_fails(mesh, nexus, asking):
    mesh.answers["ExplainRoute"] = lambda _: refused("NO_ROUTE", "No model can take this. What would help: send less.")
    shown = nexus("route", "explain", "Hi")
    assert shown.exit_code == 1
    assert shown.stdout.startswith("No model can take this. What would help: send less.  [NO_ROUTE]")
    assert "three/m" in shown.stdout
    assert nexus("route", "explain", "Hi", "--json").exit_code == 1
    assert [each.refused_reason for each in mesh.requests("PreviewQuery")] == ["", "NO_ROUTE"] * 2


def test_a_model_that_there_is_not(mesh, nexus, asking):
    others = [pb.Rejection(model=f"{name}/m", step="match", reason="NOT_THE_MODEL_ASKED_FOR") for name in "abc"]
    mesh.answers["ExplainRoute"] = lambda _: refused("MODEL_UNKNOWN", "There is no model 'x/y'.", rejections=others)
    shown = nexus("route", "explain", "Hi", "--no-tools", "--model", "x/y")
    assert shown.exit_code == 1
    assert shown.stdout.startswith("There is no model 'x/y'.  [MODEL_UNKNOWN]")
    assert "another model was asked for: 3 models." in shown.stdout
    assert "a/m" not in shown.stdout
    mesh.answers["PreviewQuery"] = InvalidInput("MODEL_UNKNOWN", "There is no chat model 'x/y'.")
    shown = nexus("route", "explain", "Hi", "--model", "x/y")
    assert shown.exit_code == 2
    assert "MODEL_UNKNOWN" in shown.stderr


def test_a_question_goes_on_without_tools_as_asked_questions_do(mesh, nexus, asking):
    asking["NO_ROUTE"] = previewed("Without", guided=True)
    answers = [refused("NO_ROUTE", "No model can."), pb.ExplainRouteResponse(decision=decision())]
    mesh.answers["ExplainRoute"] = lambda _: answers.pop(0)
    shown = nexus("route", "explain", "Hi")
    assert shown.exit_code == 0, shown.output
    lines = shown.stdout.splitlines()
    assert lines[0] == "With tools: No model can.  [NO_ROUTE]"
    assert "offered no tools" in lines[1]
    assert "one/m scores best" in shown.stdout
    assert "no tools" in shown.stderr
    assert [each.request.messages[0].content[0].text for each in mesh.requests("ExplainRoute")] == [
        "With tools",
        "Without",
    ]
    answers[:] = [refused("NO_ROUTE", "No model can."), pb.ExplainRouteResponse(decision=decision())]
    found = json.loads(nexus("route", "explain", "Hi", "--json").stdout)
    assert (found["guided"], found["refused"], found["decision"]["choice"]) == (
        True,
        "No model can.  [NO_ROUTE]",
        "one/m",
    )
    answers[:] = [refused("NO_ROUTE", "First."), refused("NO_ROUTE", "Second.")]
    shown = nexus("route", "explain", "Hi")
    assert (shown.exit_code, shown.stdout.startswith("First.")) == (1, True)


def test_an_unknown_price_is_unknown(mesh, nexus, asking):
    unpriced = candidate("one/m", 1, 0, 0)
    unpriced.expected_cost_micro_usd, unpriced.price_unknown = 0, True
    mesh.answers["ExplainRoute"] = lambda _: pb.ExplainRouteResponse(decision=decision(candidates=[unpriced]))
    text = " ".join(nexus("route", "explain", "Hi").stdout.split())
    assert "1 one/m 0.000 unknown 800 ms" in text
    assert "expected at an unknown price" in text
    assert "$0.00 " not in text


def test_a_region_that_is_not_known_is_not_called_elsewhere(mesh, nexus, asking):
    detail = "processes data in a place that its contract does not name"
    removed = pb.Rejection(model="local/m", step="security", reason="RESIDENCY", detail=detail)
    mesh.answers["ExplainRoute"] = lambda _: pb.ExplainRouteResponse(decision=decision(rejections=[removed]))
    text = " ".join(nexus("route", "explain", "Hi", "--residency", "eu").stdout.split())
    assert f"not known to stay within the regions asked for ({detail})" in text
    assert "elsewhere" not in text


def test_names_and_sentences_of_any_length_can_be_read(mesh, nexus, asking):
    """Long names, many terms, long details: `nexus` itself checks that no line is too long for the terminal."""
    name = "openai/gpt-5.6-luna-2026-09-30-preview"
    long = candidate(name, 900_000_000, -123_000_000, -45_000_000)
    long.terms.extend(pb.ScoreTerm(name=term, value=-333_333_333) for term in ("risk", "affinity", "preference", "fit"))
    removed = pb.Rejection(
        model=name, step="rules", reason="FORBIDDEN_BY_RULE", detail="no-such-provider-at-night " * 6
    )
    made = decision(
        candidates=[long],
        choice=name,
        rejections=[removed],
        control=pb.RouteControl(chain=[pb.ChainLink(model=name, tries=2)] * 4, max_attempts=8),
    )
    mesh.answers["ExplainRoute"] = lambda _: pb.ExplainRouteResponse(decision=made)
    shown = nexus("route", "explain", "Hi")
    assert shown.exit_code == 0
    assert shown.stdout.count(name) >= 8


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"candidates": [candidate("one/m", 1, 0, 0)]}, "one/m is the only model"),
        ({"features": pb.RequestFeatures(model="one/m")}, "one/m was asked for by name"),
        ({"features": pb.RequestFeatures(chain=["one/m", "two/m"])}, "one/m comes first in the configured chain"),
    ],
)
def test_why_in_one_sentence(mesh, nexus, asking, changes, sentence):
    mesh.answers["ExplainRoute"] = lambda _: pb.ExplainRouteResponse(decision=decision(**changes))
    shown = nexus("route", "explain", "Hi")
    assert shown.exit_code == 0, shown.output
    assert shown.stdout.startswith(sentence)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({}, "No model can take this request: 1 \u00d7 not cleared for this data, 1 \u00d7"),
        ({"rejections": []}, "No model is configured"),
    ],
)
def test_why_nothing_was_chosen(mesh, nexus, changes, sentence):
    made = decision(decision_id="d-7", choice="", candidates=[], **changes)
    mesh.answers["GetDecision"] = lambda _: pb.GetDecisionResponse(decision=made)
    assert nexus("route", "show", "d-7").stdout.startswith(sentence)


def test_decisions_are_listed_a_page_at_a_time(mesh, nexus):
    made = decision(decision_id="d-7", sequence=7)
    mesh.answers["ListDecisions"] = lambda _: pb.ListDecisionsResponse(decisions=[made], next_page_token="tok2")

    shown = nexus("route", "list", "--limit", "1", "--page", "tok1")

    chats = contract_pb2.OPERATION_CHAT
    assert mesh.requests("ListDecisions") == [pb.ListDecisionsRequest(page_size=1, page_token="tok1", operation=chats)]
    assert "7  d-7" in shown.stdout
    assert "31 + 300" in shown.stdout
    assert "--page tok2" in shown.stderr
    mesh.answers["ListDecisions"] = lambda _: pb.ListDecisionsResponse()
    assert "No decisions yet" in nexus("route", "list").stderr
    assert json.loads(nexus("route", "list", "--json").stdout)["decisions"] == []
    nexus("route", "list", "--operation", "embed")
    nexus("route", "list", "--operation", "all")
    asked = [each.operation for each in mesh.requests("ListDecisions")]
    assert asked[-2:] == [contract_pb2.OPERATION_EMBED, contract_pb2.OPERATION_UNSPECIFIED]


def test_pages_without_a_decision_over_the_operation_are_passed_over(mesh, nexus):
    made = decision(decision_id="d-1", sequence=1)
    pages = {
        "": pb.ListDecisionsResponse(next_page_token="older"),
        "older": pb.ListDecisionsResponse(decisions=[made]),
    }
    mesh.answers["ListDecisions"] = lambda asked: pages[asked.page_token]
    shown = nexus("route", "list", "--operation", "embed")
    assert "1  d-1" in shown.stdout
    assert "More" not in shown.stderr


ID = "01a1f780-2eee-715e-aab2-4d8a2cb016e7"


def test_a_list_tells_what_became_of_each_decision_and_marks_those_that_were_changed(mesh, nexus):
    made = {
        "succeeded": {"outcome": "succeeded", "outcome_model": "one/m"},
        "succeeded by two/m": {"outcome": "succeeded", "outcome_model": "two/m"},
        "failed": {"outcome": "failed", "outcome_model": "one/m"},
        "not called": {},
    }
    rows = [decision(decision_id=ID, sequence=number, **each) for number, each in enumerate(made.values(), start=1)]
    rows.append(pb.Decision(decision_id=ID, sequence=5, damaged=True))
    rows[-1].decision_time.FromSeconds(1_700_000_000)
    mesh.answers["ListDecisions"] = lambda _: pb.ListDecisionsResponse(decisions=rows)
    shown = nexus("route", "list", "--operation", "all")
    lines = shown.stdout.splitlines()
    starts = [line for line in lines if ID in line]
    assert len(starts) == 5
    text = " ".join(shown.stdout.split())
    for outcome in made:
        assert f"outcome: {outcome} " in text
    assert "damaged" in text.partition(f"5 {ID}")[2]
    assert "2023-11-1" in starts[-1]
    assert "none" not in text
    assert "not believed: 1 record" in shown.stderr


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
        pb.LedgerAttempt(attempt_id="a-3", model="new/m", outcome="succeeded", cost_unknown=True),
    ]
    mesh.answers["GetDecision"] = lambda _: pb.GetDecisionResponse(decision=made, attempts=attempts)

    text = " ".join(nexus("route", "show", "d-7").stdout.split())

    assert mesh.requests("GetDecision") == [pb.GetDecisionRequest(decision_id="d-7")]
    assert f"record 7, {'ab' * 32} follows on {'cd' * 32}" in text
    assert "a-1 one/m eu failed: PROVIDER_TIMEOUT 30 + 0 estimated" in text
    assert "a-2 two/m succeeded (hedge) 0 + 0 $0.00 first piece: 900 ms" in text
    assert "a-3 new/m succeeded 0 + 0 unknown" in text
    assert len(json.loads(nexus("route", "show", "d-7", "--json").stdout)["attempts"]) == 3


def test_a_verified_decision(mesh, nexus):
    steps = ["chain", "record", "snapshot", "stored_rules", "state", "field_state", "match", "rules"]
    mesh.answers["VerifyDecision"] = lambda _: pb.VerifyDecisionResponse(valid=True, checked_steps=steps)
    shown = nexus("route", "verify", "d-7")
    assert shown.exit_code == 0
    said = shown.stdout.splitlines()
    assert said[:4] == ["\u2713 chain", "\u2713 record", "\u2713 snapshot", "\u2713 stored rules"]
    assert said.count("\u2713 rules") == 1
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


HEAD = "ab" * 32


def chain(**changes):
    fields = {"valid": True, "verified": 5, "head": pb.ChainPlace(sequence=12, record_hash=HEAD), **changes}
    return lambda _: [
        pb.VerifyChainResponse(verified=3),
        pb.VerifyChainResponse(result=pb.ChainVerification(**fields)),
    ]


def test_all_records_are_verified(mesh, nexus):
    mesh.answers["VerifyChain"] = chain(pruned=pb.ChainPlace(sequence=7, record_hash="cd" * 32))
    shown = nexus("route", "verify", "--all")
    assert shown.exit_code == 0, shown.output
    text = " ".join(shown.stdout.split())
    assert text.startswith("valid: each record follows on the one before it")
    assert "verified 5 records" in text
    assert f"pruned records up to 7 {'cd' * 32}" in text
    assert f"head 12 {HEAD}" in text
    assert "write the head down elsewhere" in " ".join(shown.stderr.split())
    assert mesh.requests("VerifyChain") == [pb.VerifyChainRequest()]
    found = json.loads(nexus("route", "verify", "--all", "--json").stdout)
    assert (found["valid"], found["head"]["record_hash"]) == (True, HEAD)


def test_the_first_broken_record_is_named(mesh, nexus):
    broken = pb.BrokenRecord(decision_id="d-9", sequence=9, differing_step="stored_rules", detail="the rules are gone")
    mesh.answers["VerifyChain"] = chain(valid=False, broken=broken)
    shown = nexus("route", "verify", "--all")
    assert shown.exit_code == 1
    text = " ".join(shown.stdout.split())
    assert text.startswith("invalid: record 9, decision d-9, at stored rules: the rules are gone.")
    assert f"last good 12 {HEAD}" in text
    assert nexus("route", "verify", "--all", "--json").exit_code == 1


def test_a_head_that_was_noted_must_be_there(mesh, nexus):
    mesh.answers["VerifyChain"] = chain(expected_found=True)
    shown = nexus("route", "verify", "--all", "--expect-head", HEAD)
    assert shown.exit_code == 0
    assert "expected found" in " ".join(shown.stdout.split())
    assert mesh.requests("VerifyChain") == [pb.VerifyChainRequest(expect_hash=HEAD)]
    mesh.answers["VerifyChain"] = chain(valid=False, expected_found=False, pruned=pb.ChainPlace(sequence=7))
    shown = nexus("route", "verify", "--all", "--expect-head", HEAD)
    assert shown.exit_code == 1
    text = " ".join(shown.stdout.split())
    assert "no record has the expected hash" in text
    assert "unless it is one of those up to 7 that were pruned" in text


@pytest.mark.parametrize(
    "arguments",
    [[], ["d-7", "--all"], ["d-7", "--expect-head", HEAD], ["--all", "--expect-head", "12"], ["--expect-head", HEAD]],
)
def test_verifications_that_cannot_be_asked_for(mesh, nexus, arguments):
    assert nexus("route", "verify", *arguments).exit_code == 2
    assert mesh.calls == []


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
        damaged=3,
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
        "left out: 3 records",
        "0.612",
    ):
        assert said in shown.output
    (asked,) = mesh.requests("ReplayDecisions")
    assert (asked.rules_yaml, asked.curve_points, asked.recorded) == ("version: 1\n", 3, 0)
    assert asked.imported.queries[0].results[0].quality_ppm == 500_000
    assert json.loads(nexus("route", "replay", "--recorded", "7", "--json").stdout)["changed"] == 2
    assert mesh.requests("ReplayDecisions")[1].recorded == 7


def test_costs_that_nobody_knows_are_no_money_saved(mesh, nexus):
    result = pb.ReplayResult(policies=[policy("recorded", None, unpriced=3), policy("tried", None, unpriced=1)])
    mesh.answers["ReplayDecisions"] = lambda _: [pb.ReplayDecisionsResponse(result=result)]
    text = " ".join(nexus("route", "replay").stdout.split())
    assert "recorded 3 1 unknown" in text
    assert "tried 3 1 1.250000 + 1 unknown" in text


def test_replays_that_cannot_be_asked_for(mesh, nexus, tmp_path):
    (tmp_path / "empty.yaml").write_text(" \n")
    assert nexus("route", "replay", "--rules", str(tmp_path / "none.yaml")).exit_code == 2
    assert nexus("route", "replay", "--rules", str(tmp_path / "empty.yaml")).exit_code == 2
    assert nexus("route", "replay", "--table", str(tmp_path / "none.csv")).exit_code == 2
    assert nexus("route", "replay", "--recorded", "0").exit_code == 2
    assert "CURVE_WITHOUT_TABLE" in nexus("route", "replay", "--curve", "3").stderr
    assert "REPLAY_WHAT" in nexus("route", "replay", "--table", "answers.csv", "--recorded", "5").stderr
    assert mesh.requests("ReplayDecisions") == []


def test_an_outcome_is_reported(mesh, nexus):
    answers = [pb.ReportOutcomeResponse(counted=True, model="a/m", count=3), pb.ReportOutcomeResponse()]
    mesh.answers["ReportOutcome"] = lambda _: answers.pop(0)
    assert "Noted for a/m: 3 outcomes" in nexus("route", "report", "d-7", "0.75").stdout
    assert "has an outcome already" in nexus("route", "report", "d-7", "1").stdout
    first = mesh.requests("ReportOutcome")[0]
    assert (first.decision_id, first.reward_ppm, bool(first.request_id)) == ("d-7", 750_000, True)
    assert nexus("route", "report", "d-7", "1.5").exit_code == 2
