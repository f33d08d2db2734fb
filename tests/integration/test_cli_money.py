"""`nexus usage`, `nexus budgets` and `nexus ledger` against a router that answers as the test says."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mesh.cli.app import app
from mesh.cli.money_and_time import dollars, point_in_time
from protos.gen.nexus.router.v1 import decision_pb2, ledger_pb2, router_pb2
from shared.errors import InvalidInput

sys.path.insert(0, str(Path(__file__).parent / "cli_kit"))
from fake_mesh import fake_mesh

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


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
    return lambda *arguments: CliRunner().invoke(app, [*arguments, "--data", str(tmp_path / "d")])


def test_usage_is_shown_by_model_with_its_sum(mesh, nexus):
    models = [
        ledger_pb2.ModelUsage(model="openai/large", attempts=1200, succeeded=1190, cost_micro_usd=1_234_567_890),
        ledger_pb2.ModelUsage(model="local/chat", attempts=3, input_tokens=45_678, estimated=2),
    ]
    mesh.answers["SummarizeUsage"] = lambda _: ledger_pb2.SummarizeUsageResponse(models=models)
    shown = nexus("usage")
    assert "1,200" in shown.stdout
    assert "45,678" in shown.stdout
    assert shown.stdout.splitlines()[-1] == "In all: $1,234.56789"
    assert "2 attempts are estimated" in shown.stderr
    request = mesh.requests("SummarizeUsage")[0]
    assert not request.HasField("start_time")
    assert json.loads(nexus("usage", "--json").stdout)["models"][0]["cost_micro_usd"] == "1234567890"


def test_costs_that_nobody_knows_are_not_shown_as_nothing(mesh, nexus):
    models = [
        ledger_pb2.ModelUsage(model="house/a", attempts=3, cost_unknown=3),
        ledger_pb2.ModelUsage(model="house/b", attempts=5, cost_micro_usd=1_200_000, cost_unknown=2),
        ledger_pb2.ModelUsage(model="local/chat", attempts=1),
    ]
    mesh.answers["SummarizeUsage"] = lambda _: ledger_pb2.SummarizeUsageResponse(models=models, cost_unknown=5)
    shown = nexus("usage")
    lines = [" ".join(line.split()) for line in shown.stdout.splitlines()]
    assert any("house/a" in line for line in lines)
    text = " ".join(lines)
    assert "$1.20 + 2 unknown" in text
    assert lines[-1] == "In all: $1.20 + 5 unknown"
    assert "What 5 attempts cost is unknown" in shown.stderr
    assert json.loads(nexus("usage", "--json").stdout)["models"][0]["cost_unknown"] == "3"
    done = decision_pb2.LedgerAttempt(sequence=1, model="house/a", cost_unknown=True, price_version="unknown")
    done.end_time.FromDatetime(NOON)
    free = decision_pb2.LedgerAttempt(sequence=2, model="local/chat")
    free.end_time.FromDatetime(NOON)
    mesh.answers["ListLedgerAttempts"] = lambda _: ledger_pb2.ListLedgerAttemptsResponse(attempts=[done, free])
    listed = nexus("ledger", "list").stdout
    assert (listed.count("unknown"), listed.count("$0.00")) == (2, 2)


def test_usage_of_a_time(mesh, nexus):
    mesh.answers["SummarizeUsage"] = lambda _: ledger_pb2.SummarizeUsageResponse()
    shown = nexus("usage", "--since", "2026-11-01", "--until", "2026-11-02T03:00:00+01:00")
    assert "Nothing was used" in shown.stderr
    request = mesh.requests("SummarizeUsage")[0]
    assert request.start_time.ToJsonString() == "2026-11-01T00:00:00Z"
    assert request.end_time.ToJsonString() == "2026-11-02T02:00:00Z"
    wrong = nexus("usage", "--since", "yesterday", "--json")
    assert (wrong.exit_code, json.loads(wrong.stderr)["error"]["reason"]) == (2, "TIME_UNKNOWN")


def test_budgets_are_listed_with_what_is_left(mesh, nexus):
    budget = ledger_pb2.Budget(
        scope="user",
        subject="ann",
        period="day",
        limit_micro_usd=5_000_000,
        spent_micro_usd=1_250_000,
        reserved_micro_usd=100,
    )
    budget.reset_time.FromDatetime(NOON)
    mesh.answers["ListBudgets"] = lambda _: ledger_pb2.ListBudgetsResponse(budgets=[budget])
    shown = nexus("budgets", "list", "--conversation", "c1").stdout
    for text in ("user, day", "ann", "$5.00", "$1.25", "$0.0001", "$3.7499", "2026-11-20"):
        assert text in shown
    assert mesh.requests("ListBudgets")[0].conversation_id == "c1"
    mesh.answers["ListBudgets"] = lambda _: ledger_pb2.ListBudgetsResponse(config_error="line 3: wrong")
    empty = nexus("budgets", "list").stderr
    assert "config/limits.yaml" in empty
    assert "not in force: line 3: wrong" in empty


def test_the_ledger_is_listed_newest_first_a_page_at_a_time(mesh, nexus):
    failed = decision_pb2.LedgerAttempt(
        sequence=7,
        model="openai/large",
        outcome="failed",
        reason="STREAM_BROKEN",
        hedge=True,
        estimated=True,
        usage=router_pb2.TokenUsage(input_tokens=1200, output_tokens=30),
        cost_micro_usd=1500,
        reserved_micro_usd=90_000,
        decision_id="d" * 36,
    )
    failed.start_time.FromDatetime(NOON)
    failed.end_time.FromDatetime(NOON)
    still = decision_pb2.LedgerAttempt(sequence=6, model="local/chat", outcome="open")
    reply = ledger_pb2.ListLedgerAttemptsResponse(attempts=[failed, still], next_page_token="more")
    mesh.answers["ListLedgerAttempts"] = lambda _: reply
    shown = nexus("ledger", "list", "--limit", "2", "--page", "t", "--decision", "x")
    for text in ("failed (STREAM_BROKEN), hedge", "~1,200 + ~30", "$0.0015", "$0.09", "d" * 36, "open"):
        assert text in shown.stdout
    assert "--page more" in shown.stderr
    nexus("ledger", "list", "--oldest-first")
    newest, oldest = mesh.requests("ListLedgerAttempts")
    assert (newest.page_size, newest.page_token, newest.decision_id, newest.newest_first) == (2, "t", "x", True)
    assert not oldest.newest_first


@pytest.mark.parametrize(
    ("micro_usd", "shown"),
    [(0, "$0.00"), (1, "$0.000001"), (-2_500_000, "-$2.50"), (1_000_000_000_000, "$1,000,000.00"), (120_000, "$0.12")],
)
def test_dollars_are_exact(micro_usd, shown):
    assert dollars(micro_usd) == shown


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("7d", datetime(2026, 11, 13, 12, tzinfo=UTC)),
        ("36h", datetime(2026, 11, 19, tzinfo=UTC)),
        ("30m", datetime(2026, 11, 20, 11, 30, tzinfo=UTC)),
        ("2026-11-01", datetime(2026, 11, 1, tzinfo=UTC)),
        ("2026-11-01T08:30:00Z", datetime(2026, 11, 1, 8, 30, tzinfo=UTC)),
        ("2026-11-01T08:30:00+02:00", datetime(2026, 11, 1, 6, 30, tzinfo=UTC)),
    ],
)
def test_times_are_read(text, time):
    assert point_in_time(text, NOON) == time


@pytest.mark.parametrize("text", ["", "soon", "7", "7w", "2026-13-01", "999999d", "0001-01-01T00:00:00+05:00"])
def test_what_is_no_time_is_told(text):
    with pytest.raises(InvalidInput, match="TIME_UNKNOWN"):
        point_in_time(text, NOON)


def test_a_decision_without_attempts_is_no_empty_ledger(mesh, nexus):
    mesh.answers["ListLedgerAttempts"] = lambda _: ledger_pb2.ListLedgerAttemptsResponse()
    assert "for the decision 'd-1'" in nexus("ledger", "list", "--decision", "d-1").output
    assert "No attempt was made yet." in nexus("ledger", "list").output
