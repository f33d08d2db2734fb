"""What is wrong with a contract is told with the very field, in the words of the form that it came in."""

from __future__ import annotations

import dataclasses
from datetime import date

import pytest
from router_fakes import contract_of as a_contract

from protos.gen.nexus.router.v1 import contract_pb2 as pb
from provider_router.adapters.yaml_file.contract_reader import read_catalogue, read_contract
from provider_router.adapters.yaml_file.located_yaml import RefusedFileError
from provider_router.adapters.yaml_file.source_file import SourceFile
from provider_router.domain.contracts.contract import (
    Constraints,
    Contract,
    Guarantees,
    Price,
    Privacy,
    Quality,
    Rates,
    TimeWindow,
)
from provider_router.domain.contracts.contract_checks import violations_of
from provider_router.domain.contracts.field_names import field_text, path_of, written_text
from provider_router.servicer.convert_contract import contract_message, contract_of
from shared.errors import InvalidInput

DAY = date(2026, 1, 1)
WRONG = [
    ({"name": "no-slash"}, "name"),
    ({"name": "UP/model"}, "name"),
    ({"name": "a/"}, "name"),
    ({"version": 0}, "version"),
    ({"owner": "x" * 129}, "owner"),
    ({"owner": "two\nlines"}, "owner"),
    ({"owner": "\ud800"}, "owner"),
    ({"tags": frozenset({"Upper"})}, "tags"),
    ({"operations": frozenset()}, "capabilities.operations"),
    ({"input_modalities": frozenset()}, "capabilities.input_modalities"),
    ({"languages": frozenset({"*", "en"})}, "capabilities.languages"),
    ({"languages": frozenset({"en-GB"})}, "capabilities.languages"),
    ({"context_length": -1}, "capabilities.context_length"),
    ({"max_output_tokens": 10_000_001}, "capabilities.max_output_tokens"),
    ({"dimensions": 100_001}, "capabilities.dimensions"),
    ({"guarantees": Guarantees(first_token_p50_ms=2, first_token_p95_ms=1)}, "guarantees.first_token_p95_ms"),
    ({"guarantees": Guarantees(availability_ppm=1_000_001)}, "guarantees.availability_ppm"),
    ({"constraints": Constraints(requests_per_minute=-1)}, "constraints.requests_per_minute"),
    ({"constraints": Constraints(windows=(TimeWindow(frozenset()),))}, "constraints.windows[0].weekdays"),
    ({"constraints": Constraints(windows=(TimeWindow(frozenset({7})),))}, "constraints.windows[0].weekdays"),
    (
        {"constraints": Constraints(windows=(TimeWindow(), TimeWindow(start_minute=600, end_minute=600)))},
        "constraints.windows[1].end_minute",
    ),
    ({"constraints": Constraints(windows=(TimeWindow(end_minute=1441),))}, "constraints.windows[0].end_minute"),
    ({"constraints": Constraints(windows=(TimeWindow(),) * 33)}, "constraints.windows"),
    ({"privacy": Privacy(regions=frozenset({"EU"}))}, "privacy.regions"),
    ({"privacy": Privacy(retention_days=-1)}, "privacy.retention_days"),
    ({"privacy": Privacy(certifications=frozenset({"SOC 2"}))}, "privacy.certifications"),
    ({"prices": (Price(DAY, Rates(input=-1)),)}, "prices[0].rates.input"),
    ({"prices": (Price(DAY, Rates(cache_write=10**12)),)}, "prices[0].rates.cache_write"),
    ({"prices": (Price(DAY, Rates()), Price(DAY, Rates()))}, "prices[1].effective_date"),
    ({"prices": (Price(DAY, Rates(), long_context_tokens=5),)}, "prices[0].long_context_tokens"),
    ({"prices": (Price(DAY, Rates(), long_context_rates=Rates()),)}, "prices[0].long_context_tokens"),
    ({"prices": (Price(DAY, Rates(), 5, Rates(output=-1)),)}, "prices[0].long_context_rates.output"),
    ({"prices": (Price(DAY, Rates(), per_request=-1),)}, "prices[0].per_request"),
    ({"prices": (Price(DAY, Rates(), source="x" * 513),)}, "prices[0].source"),
    ({"quality": Quality(default=-1)}, "quality.default"),
    ({"quality": Quality(by_task={"juggling": 1})}, "quality.by_task.juggling"),
    ({"quality": Quality(by_task={"code": 1_000_001})}, "quality.by_task.code"),
    ({"traits": {"Bad": True}}, "traits.Bad"),
    ({"traits": {"big": 2**63}}, "traits.big"),
    ({"traits": {"long": "x" * 257}}, "traits.long"),
    ({"traits": {f"t{number}": 1 for number in range(65)}}, "traits"),
]


def shown(path: tuple[str | int, ...]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")


@pytest.mark.parametrize(("changes", "path"), WRONG)
def test_what_is_wrong_is_found_at_its_place(changes: dict, path: str) -> None:
    name = changes.pop("name", "one/m")
    found = violations_of(a_contract(name, **changes))
    assert [shown(violation.path) for violation in found] == [path]
    assert all(violation.description for violation in found)


def test_a_good_contract_has_nothing_wrong() -> None:
    assert violations_of(a_contract()) == ()


def test_everything_that_is_wrong_is_found() -> None:
    contract = dataclasses.replace(a_contract("x"), version=0, owner="x" * 200)
    assert [shown(violation.path) for violation in violations_of(contract)] == ["name", "version", "owner"]


def refused_fields(contract: Contract) -> list[str]:
    with pytest.raises(InvalidInput) as caught:
        contract_of(contract_message(contract))
    assert caught.value.reason == "CONTRACT_INVALID"
    assert caught.value.violations[0].field in caught.value.message
    return [violation.field for violation in caught.value.violations]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"prices": (Price(DAY, Rates()), Price(DAY, Rates()))}, "contract.prices[1].effective_date"),
        ({"prices": (Price(DAY, Rates(input=-1)),)}, "contract.prices[0].rates.input_micro_usd"),
        (
            {"prices": (Price(DAY, Rates(), 5, Rates(cache_write=-1)),)},
            "contract.prices[0].long_context_rates.cache_write_micro_usd",
        ),
        ({"prices": (Price(DAY, Rates(), per_request=-1),)}, "contract.prices[0].per_request_micro_usd"),
        ({"quality": Quality(by_task={"code": 1, "juggling": 1})}, "contract.quality.by_task[1]"),
        ({"traits": {"a": 1, "b": "x" * 300}}, "contract.traits[1]"),
        (
            {"guarantees": Guarantees(first_token_p50_ms=2, first_token_p95_ms=1)},
            "contract.guarantees.first_token_p95_ms",
        ),
    ],
)
def test_a_message_is_refused_with_its_fields(changes: dict, field: str) -> None:
    assert refused_fields(a_contract(**changes)) == [field]


@pytest.mark.parametrize(
    ("path", "asked", "written"),
    [
        (("prices", 0, "rates", "input"), "contract.prices[0].rates.input_micro_usd", "prices[0].input"),
        (
            ("prices", 12, "long_context_rates", "cache_write"),
            "contract.prices[12].long_context_rates.cache_write_micro_usd",
            "prices[12].long_context.cache_write",
        ),
        (("prices", 0, "per_request"), "contract.prices[0].per_request_micro_usd", "prices[0].per_request"),
        (("prices",), "contract.prices", "prices"),
        (("privacy", "regions"), "contract.privacy.regions", "privacy.regions"),
    ],
)
def test_requests_and_files_have_their_own_names_of_a_field(
    path: tuple[str | int, ...], asked: str, written: str
) -> None:
    assert (field_text(path), written_text(path)) == (asked, written)
    assert path_of(asked) == path


def test_a_message_with_names_twice_or_a_day_that_is_none_is_refused() -> None:
    message = contract_message(a_contract(traits={"a": 1}, quality=Quality(by_task={"code": 1})))
    message.traits.add().CopyFrom(message.traits[0])
    message.quality.by_task.add().CopyFrom(message.quality.by_task[0])
    message.prices.add(effective_date="2026-02-30", rates=pb.Rates())
    with pytest.raises(InvalidInput) as caught:
        contract_of(message)
    assert [violation.field for violation in caught.value.violations] == [
        "contract.prices[0].effective_date",
        "contract.traits[1]",
        "contract.quality.by_task[1]",
    ]
    assert "2 more" in caught.value.message


YAML = """\
name: one/m
version: 3
owner: Somebody
capabilities: {operations: [chat], context_length: 8000}
guarantees: {first_token_p50_ms: 100, first_token_p95_ms: 300, availability: 0.99}
constraints:
  windows:
    - {weekdays: [mon, sun], from: "08:00", to: 18:00}
privacy: {clearance: restricted, regions: [eu], retention_days: 0}
prices:
  - {from: 2026-01-01, input: 1.25, output: 10, long_context: {above_tokens: 1000, input: 2.5, output: 15}}
quality: {default: 0.8, by_task: {code: 0.9}}
traits: {reasoning: true, size: 7, family: small}
"""


def read(text: str) -> Contract:
    return read_contract(SourceFile("mine.yaml", text.encode()))


def test_a_contract_in_yaml() -> None:
    contract = read(YAML)
    assert (contract.name, contract.version, contract.privacy.clearance.name) == ("one/m", 3, "RESTRICTED")
    assert contract.guarantees.availability_ppm == 990_000
    assert contract.constraints.windows == (TimeWindow(frozenset({0, 6}), 480, 1080),)
    assert contract.prices == (Price(DAY, Rates(1_250_000, 10_000_000), 1000, Rates(2_500_000, 15_000_000)),)
    assert (contract.quality.of("code"), contract.quality.of("math")) == (900_000, 800_000)
    assert contract.traits == {"reasoning": True, "size": 7, "family": "small"}


@pytest.mark.parametrize(
    ("old", "new", "line", "reason"),
    [
        ("name: one/m", "name: one", 1, "name: must be `provider/model`"),
        ("owner:", "woner:", 3, "woner: there is no such field"),
        ("operations: [chat]", "operations: [dance]", 4, "capabilities.operations[0]: must be"),
        ("operations: [chat], ", "", 4, "capabilities.operations: is missing"),
        ("8000", '"8000"', 4, "capabilities.context_length: must be a valid integer"),
        ("8000", "-1", 4, "capabilities.context_length: must be at least 0"),
        ("95_ms: 300", "95_ms: 50", 5, "guarantees.first_token_p95_ms: must be at least first_token_p50_ms"),
        ("0.99}", "1.01}", 5, "guarantees.availability: must be from 0 to 1"),
        ("0.99}", "0.9999999}", 5, "guarantees.availability: must have at most 6 decimals"),
        ("0.99}", "true}", 5, "guarantees.availability: must be a number"),
        ('"08:00"', '"8 o\'clock"', 8, "constraints.windows[0].from: must be a time of day"),
        ("18:00", "07:00", 8, "constraints.windows[0].to: must be after the start"),
        ("[mon, sun]", "[]", 8, "constraints.windows[0].weekdays: must be days"),
        ("[mon, sun]", "[monday]", 8, "constraints.windows[0].weekdays[0]: must be"),
        ("restricted", "secret", 9, "privacy.clearance: must be"),
        ("[eu]", "[EU]", 9, "privacy.regions: must hold lower-case codes"),
        ("2026-01-01", "20260101", 11, "prices[0].from: must be a day such as"),
        ("2026-01-01", "2026-01-01 10:00:00", 11, "prices[0].from: must be a day such as"),
        ("from: 2026-01-01, ", "", 11, "prices[0].from: is missing"),
        ("input: 1.25", "input: -1", 11, "prices[0].input: must be from 0 to 100000"),
        ("output: 10, ", "", 11, "prices[0].output: is missing; write 0 for what is free"),
        ("input: 2.5, output: 15", "output: 15", 11, "prices[0].long_context.input: is missing; write 0"),
        ("above_tokens: 1000", "above_tokens: 0", 11, "prices[0].long_context.above_tokens: must stand together"),
        ("{above_tokens: 1000, input: 2.5, output: 15}", "yes", 11, "prices[0].long_context: must be a mapping"),
        ("code: 0.9", "juggling: 0.9", 12, "quality.by_task.juggling: is no task class; there are general"),
        ("size: 7", "size: [7]", 13, "traits.size: must be true or false, a whole number, or a text"),
        ("size: 7", "Size: 7", 13, "traits.Size: the name of a trait must"),
        ("size: 7", "size: 99999999999999999999", 13, "traits.size: must be at most"),
    ],
)
def test_wrong_yaml_is_refused_with_line_and_path(old: str, new: str, line: int, reason: str) -> None:
    text = YAML.replace(old, new, 1)
    assert text != YAML
    with pytest.raises(RefusedFileError) as caught:
        read(text)
    assert (caught.value.file, str(caught.value)[: len(f"line {line}: ")]) == ("mine.yaml", f"line {line}: ")
    assert reason in str(caught.value)


CATALOGUE = """\
version: 1
contracts:
  - model: big
    capabilities: {operations: [chat]}
    prices:
      - {from: 2026-01-01, input: 1, output: 1}
      - {from: 2026-02-01, input: 2, output: 2}
  - model: small
    capabilities: {operations: [chat]}
"""


@pytest.mark.parametrize(
    ("old", "new", "line", "reason"),
    [
        ("2026-02-01", "2025-02-01", 7, "contracts[0].prices[1].from: must be later than that of the price before"),
        ("model: small", "model: big", 8, "contracts[1].model: the model 'big' stands twice"),
        ("model: small", "name: small", 8, "contracts[1].name: there is no such field"),
        ("model: small", "model: ' '", 8, "contracts[1].model: has characters that are not allowed"),
        ("version: 1", "version: 2", 1, "version"),
        ("  - model: small", "  - 5\n  - model: small", 8, "contracts[1]: must be a mapping"),
    ],
)
def test_a_wrong_catalogue_is_refused(old: str, new: str, line: int, reason: str) -> None:
    text = CATALOGUE.replace(old, new, 1)
    assert text != CATALOGUE
    with pytest.raises(RefusedFileError, match=f"^line {line}: ") as caught:
        read_catalogue(SourceFile("contracts/x.yaml", text.encode()))
    assert reason in str(caught.value)
    assert caught.value.file == "contracts/x.yaml"


def test_a_catalogue() -> None:
    catalogue = read_catalogue(SourceFile("contracts/x.yaml", CATALOGUE.encode()))
    assert list(catalogue.entries) == ["big", "small"]
