"""Providers that build upon shipped contracts, with deployments, keys and limits."""

from __future__ import annotations

from datetime import date

import pytest

from provider_router.adapters.yaml_file.located_yaml import RefusedFileError
from provider_router.adapters.yaml_file.provider_reader import ConfigurationReader, LocalAddresses
from provider_router.adapters.yaml_file.source_file import SourceFile
from provider_router.domain.contracts.configuration import Configuration
from provider_router.domain.contracts.contract import DataClass, Operation, Price, Rates
from provider_router.domain.contracts.provider import Deployment, RateLimit

LOCAL = LocalAddresses("http://127.0.0.1:1/v1", "http://127.0.0.1:2/v1")
CATALOGUE = """\
version: 1
contracts:
  - model: big-2
    owner: Vendor
    tags: [frontier]
    capabilities: {operations: [chat], tool_calling: true, context_length: 400000, input: [text, image]}
    guarantees: {availability: 0.999}
    privacy: {clearance: internal, regions: [us], retention_days: 30}
    prices:
      - {from: 2025-08-07, input: 1.25, output: 10}
    quality: {default: 0.85, by_task: {code: 0.9}}
    traits: {reasoning: true}
  - model: vectors
    capabilities: {operations: [embed], dimensions: 1536}
"""
PROVIDERS = """\
version: 1
providers:
  openai:
    type: openai_compatible
    base_url: https://api.example.com/v1
    api_key_envs: [KEY_A, KEY_B]
    catalog: openai
    max_in_flight: 7
    requests_per_minute: 500
    tokens_per_minute: 100000
    models:
      - big-2
      - vectors
      - name: my-big
        contract: big-2
        context_length: 1000
        usd_per_million_tokens: {input: 3, output: 4}
        tags: [tuned]
        privacy: {regions: [eu]}
        quality: {by_task: {math: 0.7}}
        traits: {size: 7}
      - name: unknown
        chat: true
  spread:
    type: openai_compatible
    deployments:
      - {name: east, base_url: "https://east.example.com/v1/", api_key_envs: [EAST], weight: 3, max_in_flight: 20}
      - {name: west, base_url: "https://west.example.com/v1", requests_per_minute: 60, tokens_per_minute: 9}
    models: [{name: m, chat: true}]
  local:
    type: local
    max_in_flight: 2
    models: [{name: chat, chat: true}]
  claude:
    type: anthropic
    api_key_env: CLAUDE_KEY
    models: [{name: c, chat: true}]
chains: {chat: [openai/big-2, local/chat], embed: openai/vectors}
"""


def read(providers: str = PROVIDERS, **catalogues: str) -> Configuration:
    files = {"providers.yaml": providers} | {f"contracts/{name}.yaml": text for name, text in catalogues.items()}
    reader = ConfigurationReader("providers.yaml", LOCAL)
    return reader({name: SourceFile(name, text.encode()) for name, text in files.items()})


@pytest.fixture(scope="module")
def configuration() -> Configuration:
    return read(openai=CATALOGUE)


def test_a_name_takes_the_shipped_contract_whole(configuration: Configuration) -> None:
    big = configuration.contracts["openai/big-2"]
    assert (big.owner, big.tags, big.needs_auth) == ("Vendor", frozenset({"frontier"}), True)
    assert (big.capabilities.context_length, big.guarantees.availability_ppm) == (400_000, 999_000)
    assert big.prices == (Price(date(2025, 8, 7), Rates(1_250_000, 10_000_000)),)
    assert not big.capabilities.json_schema
    assert configuration.contracts["openai/vectors"].capabilities.operations == {Operation.EMBED}


def test_fields_of_a_mapping_replace_those_of_the_shipped_contract(configuration: Configuration) -> None:
    mine = configuration.contracts["openai/my-big"]
    assert mine.capabilities.context_length == 1000
    assert mine.capabilities.tool_calling
    assert mine.tags == {"tuned"}
    assert (mine.privacy.regions, mine.privacy.retention_days) == (frozenset({"eu"}), 30)
    assert (mine.quality.of("math"), mine.quality.of("code")) == (700_000, 900_000)
    assert mine.traits == {"reasoning": True, "size": 7}
    assert mine.prices == (Price(date(1970, 1, 1), Rates(3_000_000, 4_000_000)),)


def test_a_model_without_a_shipped_contract_may_see_what_is_internal(configuration: Configuration) -> None:
    plain = configuration.contracts["openai/unknown"]
    assert plain.capabilities.json_schema
    assert (plain.privacy.clearance, plain.privacy.on_premises) == (DataClass.INTERNAL, False)
    local = configuration.contracts["local/chat"]
    assert (local.privacy.clearance, local.privacy.on_premises) == (DataClass.RESTRICTED, True)
    assert local.privacy.retention_days == 0
    assert not local.needs_auth


def test_where_providers_are(configuration: Configuration) -> None:
    openai, spread, local, claude = configuration.providers.values()
    url = "https://api.example.com/v1"
    assert openai.deployments == (Deployment("default", url, url, ("KEY_A", "KEY_B"), 1, 7),)
    assert openai.rate_limit == RateLimit(500, 100_000)
    assert [target.key_env for target in openai.targets()] == ["KEY_A", "KEY_B"]
    east, west = spread.deployments
    assert (east.chat_url, east.key_envs, east.weight) == ("https://east.example.com/v1", ("EAST",), 3)
    assert (east.max_in_flight, west.max_in_flight, west.key_envs) == (20, 0, ())
    assert west.rate_limit == RateLimit(60, 9)
    assert local.deployments[0].max_in_flight == 2
    assert claude.deployments[0].chat_url == "https://api.anthropic.com"


@pytest.mark.parametrize(
    ("old", "new", "line", "reason"),
    [
        (
            "- big-2\n",
            "- big-3\n",
            12,
            "models[0]: there is no model 'big-3' in contracts/openai.yaml; close to it: big",
        ),
        (
            "contract: big-2",
            "contract: big",
            15,
            "models[2].contract: there is no model 'big' in contracts/openai.yaml",
        ),
        ("chat: true\n  spread", "tags: []\n  spread", 22, "models[3]: needs `chat: true` or `embeddings: true`"),
        ("catalog: openai", "catalog: opnai", 7, "there is no file contracts/opnai.yaml; there are: openai"),
        ("    catalog: openai\n", "", 11, "models[0]: 'big-2' is only a name"),
        ("context_length: 1000", "context_length: 1000\n        capabilities: {languages: [x]}", 17, "languages: must"),
        ("regions: [eu]", "region: [eu]", 19, "models[2].privacy.region: there is no such field"),
        ("math: 0.7", "math: 7", 20, "models[2].quality.by_task.math: must be from 0 to 1"),
        ("size: 7", "Size: 7", 21, "models[2].traits.Size: the name of a trait must"),
        ("tags: [tuned]", "tags: tuned", 18, "models[2].tags: must be a valid list"),
        ("weight: 3", "weight: 0", 27, "deployments[0].weight: must be greater than or equal to 1"),
        ("name: west", "name: east", 24, "providers.spread: has two deployments of one name"),
        ("api_key_envs: [EAST]", "api_key_env: EAST", 27, "deployments[0].api_key_env: there is no such field"),
        ("    deployments:\n", "    base_url: http://x/v1\n    deployments:\n", 24, "has `deployments`, so base_url"),
        ("[KEY_A, KEY_B]", "[sk-secret]", 6, "api_key_envs[0]: has characters"),
        ("    base_url: https://api.example.com/v1\n", "", 3, "providers.openai: needs `base_url` or `deployments`"),
        ("{name: c, chat: true}", "{name: c, embeddings: true}", 37, "models[0].embeddings: this type of provider"),
        ("    models: [{name: m, chat: true}]", "    models: [[m]]", 29, "models[0]: must be a mapping"),
        ("    models: [{name: m, chat: true}]", "    models: [{chat: true}]", 29, "models[0].name: is missing"),
    ],
)
def test_a_wrong_file_is_refused_with_line_and_path(old: str, new: str, line: int, reason: str) -> None:
    text = PROVIDERS.replace(old, new, 1)
    assert text != PROVIDERS
    with pytest.raises(RefusedFileError) as caught:
        read(text, openai=CATALOGUE)
    assert caught.value.file == "providers.yaml"
    assert str(caught.value).startswith(f"line {line}: ")
    assert reason in str(caught.value)
    assert "sk-" not in str(caught.value)


def test_a_wrong_catalogue_is_blamed_itself() -> None:
    with pytest.raises(RefusedFileError, match="line 3: ") as caught:
        read(PROVIDERS, openai=CATALOGUE.replace("model: big-2", "model: big 2"))
    assert caught.value.file == "contracts/openai.yaml"


def test_a_catalogue_that_did_not_change_is_not_read_again() -> None:
    reader = ConfigurationReader("providers.yaml", LOCAL)
    catalogue = SourceFile("contracts/openai.yaml", CATALOGUE.encode())
    first = reader({"contracts/openai.yaml": catalogue, "providers.yaml": SourceFile("p", PROVIDERS.encode())})
    again = PROVIDERS.replace("      - big-2\n", "")
    again = again.replace("[openai/big-2, local/chat]", "[local/chat]")
    second = reader({"contracts/openai.yaml": catalogue, "providers.yaml": SourceFile("p", again.encode())})
    assert "openai/big-2" in first.contracts
    assert "openai/big-2" not in second.contracts
    assert "openai/my-big" in second.contracts
