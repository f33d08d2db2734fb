"""What the documentation shows is what the router reads."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path

from provider_router.adapters.yaml_file.contract_reader import read_contract
from provider_router.adapters.yaml_file.provider_reader import ConfigurationReader, LocalAddresses
from provider_router.adapters.yaml_file.source_file import SourceFile
from provider_router.domain.contracts.configuration import Configuration
from provider_router.domain.contracts.contract import DataClass
from provider_router.domain.contracts.organisation_bounds import excesses_of

ROOT = Path(__file__).parents[3]
LOCAL = LocalAddresses("http://127.0.0.1:1/v1", "http://127.0.0.1:2/v1")
PAGE = (ROOT / "docs/contracts.md").read_text("utf-8")
PROVIDERS, CONTRACT, REGISTERED = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


def shipped() -> Mapping[str, SourceFile]:
    files = (ROOT / "config/contracts").glob("*.yaml")
    return {f"contracts/{file.name}": SourceFile(f"contracts/{file.name}", file.read_bytes()) for file in files}


def read(providers: str) -> Configuration:
    source = SourceFile("providers.yaml", providers.encode())
    return ConfigurationReader("providers.yaml", LOCAL)({**shipped(), "providers.yaml": source})


def test_the_providers_of_the_documentation() -> None:
    configuration = read(PROVIDERS)
    tuned = configuration.contracts["openai/our-fine-tune"]
    assert (tuned.privacy.clearance, tuned.privacy.regions) == (DataClass.CONFIDENTIAL, frozenset({"eu"}))
    assert len(configuration.providers["house"].deployments) == 2
    assert configuration.chat_chain == ("house/llama",)


def test_the_contract_of_the_documentation_names_every_field() -> None:
    contract = read_contract(SourceFile("our-own.yaml", CONTRACT.encode()))
    assert contract.guarantees.availability_ppm == 995_000
    assert contract.traits == {"reasoning": True, "parameters": 70, "family": "llama"}
    assert contract.prices[0].rates.cached_input == 125_000


def test_the_contract_that_is_registered_is_within_the_bounds_of_the_shipped_catalogue() -> None:
    providers = (ROOT / "config/providers.yaml").read_text("utf-8").split("\n")
    start = providers.index("  # openai:")
    shown = [line.replace("  # ", "  ", 1) for line in providers[start : start + 7]]
    configuration = read("\n".join([*providers[:start], *shown, *providers[start + 7 :]]))
    contract = read_contract(SourceFile("our-own.yaml", REGISTERED.encode()))
    assert contract.provider in configuration.providers
    assert excesses_of(contract, configuration, date(2026, 11, 20)) == ()


def test_what_may_be_left_out() -> None:
    contract = read_contract(SourceFile("x.yaml", b"name: a/b\ncapabilities: {operations: [chat]}\n"))
    assert contract.version == 1


def test_the_shipped_files_are_good_together() -> None:
    configuration = read((ROOT / "config/providers.yaml").read_text("utf-8"))
    assert list(configuration.providers) == ["local"]
    assert {contract.privacy.clearance for contract in configuration.contracts.values()} == {DataClass.RESTRICTED}
    assert all(contract.privacy.on_premises for contract in configuration.contracts.values())
