"""`nexus contracts` against a router that answers as the test says: what is sent, printed and returned."""

import json
import sys
from datetime import date
from pathlib import Path

import pytest
from router_fakes import contract_of
from typer.testing import CliRunner

from mesh.cli.app import app
from protos.gen.nexus.router.v1 import contract_pb2 as pb
from provider_router.domain.contracts.contract import Guarantees, Price, Privacy, Quality, Rates
from provider_router.servicer.convert_contract import contract_message
from shared import errors

sys.path.insert(0, str(Path(__file__).parent / "cli_kit"))
from fake_mesh import fake_mesh

CONTRACT = contract_of(
    "one/m",
    owner="Somebody",
    tool_calling=True,
    context_length=8000,
    guarantees=Guarantees(first_token_p95_ms=300, availability_ppm=999_000),
    privacy=Privacy(regions=frozenset({"eu"}), retention_days=30),
    prices=(Price(date(2025, 1, 1), Rates(1_250_000, 10_000_000, 125_000), source="https://prices.test"),),
    quality=Quality(850_000, {"code": 900_000}),
    traits={"reasoning": True, "size": 7},
)
FILE = """\
name: one/new
capabilities: {operations: [chat]}
prices:
  - {from: 2026-01-01, input: 0.15, output: 0.6}
"""


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch):
    for name in ("NEXUS_DATA", "NEXUS_API_KEY", "NEXUS_ADDRESS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture
def mesh(tmp_path):
    with fake_mesh(tmp_path / "d") as running:
        yield running


@pytest.fixture
def nexus(tmp_path):
    def call(*arguments):
        return CliRunner().invoke(app, ["contracts", *arguments, "--data", str(tmp_path / "d")])

    return call


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "new.yaml"
    path.write_text(FILE)
    return path


def registered(**fields):
    return pb.RegisteredContract(contract=contract_message(CONTRACT), **fields)


def test_contracts_are_listed_with_promise_and_measurement(mesh, nexus):
    measured = pb.Measured(calls=40, success_ppm=975_000)
    mesh.answers["ListContracts"] = lambda _: pb.ListContractsResponse(
        contracts=[
            registered(measured=measured, broken_promises=["availability_ppm"], from_file=True),
            registered(suspended_reason="The provider 'one' is not configured any more."),
        ],
        next_page_token="abc",
    )
    result = nexus("list", "--limit", "2", "--page", "x")
    assert result.exit_code == 0, result.output
    first, second = result.stdout.splitlines()[1:]
    assert " ".join(first.split()) == "one/m chat public 1.25 10.00 40 97.5 % breaks its promise of availability"
    assert second.split()[-1] == "suspended"
    assert "--page abc" in result.stderr
    assert mesh.requests("ListContracts") == [pb.ListContractsRequest(page_size=2, page_token="x")]


def test_a_contract_is_shown_with_what_was_measured_beside_what_is_promised(mesh, nexus):
    measured = pb.Measured(calls=40, success_ppm=975_000, first_token_p95_ms=512)
    answer = registered(measured=measured, broken_promises=["first_token_p95_ms"])
    mesh.answers["GetContract"] = lambda _: pb.GetContractResponse(contract=answer)
    result = nexus("show", "one/m")
    assert result.exit_code == 0, result.output
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert "first token, 95 % 300 ms 512 ms broken" in lines
    assert "availability 99.9 % 97.50 % of 40" in lines
    assert "keeps data 30 days" in lines
    assert "traits reasoning=true, size=7" in lines
    assert "quality 0.85, code 0.9" in lines
    assert any(line.startswith("2025-01-01 1.25 0.125 10.00") and line.endswith("prices.test") for line in lines)


def test_what_nobody_says_is_not_shown_as_a_good_claim(mesh, nexus):
    plain = pb.RegisteredContract(contract=contract_message(contract_of("one/m", privacy=Privacy())))
    home = pb.RegisteredContract(contract=contract_message(contract_of("one/h", privacy=Privacy(on_premises=True))))
    mesh.answers["GetContract"] = lambda _: pb.GetContractResponse(contract=plain)
    lines = [" ".join(line.split()) for line in nexus("show", "one/m").stdout.splitlines()]
    for name in ("regions", "keeps data", "trains on data", "on premises", "encrypted", "certifications"):
        assert f"{name} not stated" in lines
    assert any(line.startswith("price unknown") for line in lines)
    mesh.answers["ListContracts"] = lambda _: pb.ListContractsResponse(contracts=[plain, home])
    listed = [line.split() for line in nexus("list").stdout.splitlines()[1:]]
    assert [(row[0], row.count("unknown"), row.count("free")) for row in listed] == [("one/m", 2, 0), ("one/h", 0, 2)]


def test_a_contract_is_printed_as_a_file_that_can_be_sent_back(mesh, nexus, tmp_path):
    mesh.answers["GetContract"] = lambda _: pb.GetContractResponse(contract=registered())
    mesh.answers["UpdateContract"] = lambda request: pb.UpdateContractResponse(contract=request.contract)
    copy = tmp_path / "copy.yaml"
    copy.write_text(nexus("show", "one/m", "--yaml").stdout)
    assert nexus("update", str(copy)).exit_code == 0
    assert mesh.requests("UpdateContract")[0].contract == contract_message(CONTRACT)


def test_a_file_is_registered(mesh, nexus, file):
    mesh.answers["RegisterContract"] = lambda request: pb.RegisterContractResponse(contract=request.contract)
    result = nexus("register", str(file))
    assert (result.exit_code, result.stdout) == (0, "Registered one/new, version 1.\n")
    assert nexus("register", str(file), "--json").exit_code == 0
    first, second = mesh.requests("RegisterContract")
    assert first.contract.prices[0].rates == pb.Rates(input_micro_usd=150_000, output_micro_usd=600_000)
    assert first.request_id
    assert first.request_id != second.request_id


@pytest.mark.parametrize(
    ("content", "reason", "told"),
    [
        ("name: one/new\n", "CONTRACT_INVALID", "new.yaml line 1: capabilities: is missing"),
        (FILE.replace("0.15", "-1"), "CONTRACT_INVALID", "new.yaml line 4: prices[0].input: must be from 0"),
        ("x" * 2_000_000, "FILE_TOO_LARGE", "larger than 1 MiB"),
        (None, "FILE_UNREADABLE", "cannot be read"),
    ],
)
def test_a_wrong_file_is_refused_before_anybody_is_asked(mesh, nexus, file, content, reason, told):
    if content is None:
        file.unlink()
    else:
        file.write_text(content)
    for command in ("register", "update"):
        result = nexus(command, str(file), "--json")
        assert result.exit_code == 2, result.output
        error = json.loads(result.stderr)["error"]
        assert error["reason"] == reason
        assert told in error["message"]
    assert mesh.calls == []


def test_what_the_router_refuses_is_told_in_the_words_of_the_file(mesh, nexus, file):
    found = [
        errors.FieldViolation("contract.prices[0].rates.input_micro_usd", "must not be below the dearest"),
        errors.FieldViolation("contract.privacy.clearance", "must be at most internal"),
    ]
    refusal = errors.InvalidInput("CONTRACT_INVALID", "contract.prices[0].rates.input_micro_usd: no.", violations=found)
    mesh.answers |= {"RegisterContract": refusal, "UpdateContract": refusal}
    for command in ("register", "update"):
        result = nexus(command, str(file))
        assert result.exit_code == 2, result.output
        told = " ".join(result.stderr.split())
        assert "new.yaml line 4: prices[0].input: must not be below the dearest; " in told
        assert "privacy.clearance: must be at most internal." in told
        assert "micro_usd" not in told


def test_a_contract_is_removed(mesh, nexus):
    mesh.answers["DeregisterContract"] = lambda _: pb.DeregisterContractResponse(registry_version=3)
    assert nexus("deregister", "one/new").stdout == "Removed one/new.\n"
    assert json.loads(nexus("deregister", "one/new", "--json").stdout) == {"registry_version": "3"}
    assert [request.name for request in mesh.requests("DeregisterContract")] == ["one/new"] * 2


def test_a_refusal_is_told_by_the_exit_code(mesh, nexus):
    mesh.answers["DeregisterContract"] = errors.NotFound("CONTRACT_UNKNOWN", "There is no contract 'one/new'.")
    result = nexus("deregister", "one/new")
    assert result.exit_code != 0
    assert "There is no contract 'one/new'." in result.stderr


def test_the_registry_is_followed(mesh, nexus):
    one, two = contract_message(contract_of("one/a")), contract_message(contract_of("one/b"))
    changed = contract_message(contract_of("one/a", version=2))
    mesh.answers["WatchContracts"] = lambda _: iter(
        [
            pb.WatchContractsResponse(registry_version=1, contracts=[one]),
            pb.WatchContractsResponse(registry_version=2, contracts=[changed, two]),
            pb.WatchContractsResponse(registry_version=3, contracts=[two]),
        ]
    )
    lines = [line.strip() for line in nexus("watch", "--after", "7").stdout.splitlines()]
    assert lines == [
        "version 1: 1 contract",
        "+ one/a",
        "version 2: 2 contracts",
        "~ one/a (version 2)",
        "+ one/b",
        "version 3: 1 contract",
        "- one/a",
    ]
    assert mesh.requests("WatchContracts")[0].after_version == 7
