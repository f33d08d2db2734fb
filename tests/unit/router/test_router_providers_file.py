from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provider_router.adapters.yaml_file.located_yaml import RefusedFileError
from provider_router.adapters.yaml_file.provider_reader import (
    ConfigurationReader,
    LocalAddresses,
    read_configuration,
)
from provider_router.adapters.yaml_file.source_file import SourceFile
from provider_router.domain.contracts.contract import Rates
from provider_router.domain.contracts.provider import ProviderType
from provider_router.domain.contracts.registry_view import FilesState, snapshot_of
from provider_router.domain.contracts.service import RegistrySnapshot

LOCAL = LocalAddresses("http://127.0.0.1:1/v1", "http://127.0.0.1:2/v1")
NOW = datetime(2026, 11, 20, tzinfo=UTC)
SHIPPED = Path(__file__).parents[3] / "config" / "providers.yaml"
GOOD = """\
version: 1
providers:
  local:
    type: local
    models:
      - name: chat
        chat: true
        demonstration: true
      - {name: embed, embeddings: true, dimensions: 384}
  openai:
    type: openai_compatible
    base_url: https://api.example.com/v1/
    api_key_env: SOME_KEY
    models:
      - name: big/model:x
        chat: true
        tool_calling: true
        context_length: 128000
        usd_per_million_tokens: {input: 0.15, cached_input: 0.075, output: 0.6}
chains:
  chat: [local/chat, openai/big/model:x]
  embed: local/embed
"""


def read(text: str) -> RegistrySnapshot:
    return snapshot_of(FilesState(read_configuration(text.encode(), LOCAL)), {}, 1, NOW)


def test_a_good_file() -> None:
    catalog = read(GOOD)
    assert list(catalog.providers) == ["local", "openai"]
    assert catalog.chat_chain == ("local/chat", "openai/big/model:x")
    assert catalog.embed_model == "local/embed"
    local, openai = catalog.providers.values()
    place = local.deployments[0]
    assert (local.type, place.chat_url, place.embed_url) == (ProviderType.LOCAL, LOCAL.chat_url, LOCAL.embed_url)
    place = openai.deployments[0]
    assert (place.chat_url, place.key_envs) == ("https://api.example.com/v1", ("SOME_KEY",))
    big = catalog.services["openai/big/model:x"]
    can = big.contract.capabilities
    assert (big.model, can.tool_calling, can.context_length) == ("big/model:x", True, 128000)
    assert [price.rates for price in big.contract.prices] == [Rates(150_000, 600_000, 75_000)]
    assert catalog.services["local/chat"].contract.demonstration
    assert [model.name for model in catalog.listed()] == ["local/chat", "openai/big/model:x", "local/embed"]


def with_contracts(text: str) -> RegistrySnapshot:
    """The shipped folder, with `text` as its providers file."""
    sources = {"providers.yaml": SourceFile("providers.yaml", text.encode())}
    for path in (SHIPPED.parent / "contracts").iterdir():
        name = f"contracts/{path.name}"
        sources[name] = SourceFile(name, path.read_bytes())
    return snapshot_of(FilesState(ConfigurationReader("providers.yaml", LOCAL)(sources)), {}, 1, NOW)


def test_the_shipped_file_needs_no_key() -> None:
    catalog = with_contracts(SHIPPED.read_text(encoding="utf-8"))
    assert list(catalog.providers) == ["local"]
    assert catalog.chat_chain == ()
    assert catalog.services["local/chat"].contract.demonstration
    assert catalog.embedding_service("").contract.capabilities.dimensions == 384


def test_the_examples_of_the_shipped_file_are_right() -> None:
    lines = SHIPPED.read_text(encoding="utf-8").split("\n")
    start = lines.index("  # openai:")
    end = lines.index("chains:")
    shown = [line.replace("  # ", "  ", 1) for line in lines[start:end]]
    catalog = with_contracts("\n".join([*lines[:start], *shown, *lines[end:]]))
    shown_providers = ["openai", "anthropic", "gemini", "perplexity", "ollama", "vllm", "other"]
    assert list(catalog.providers) == ["local", *shown_providers]
    assert [len(place.key_envs) for place in catalog.providers["vllm"].deployments] == [2, 1]
    assert catalog.services["anthropic/claude-sonnet-5-5"].contract.capabilities.max_output_tokens == 16384
    assert catalog.services["openai/gpt-6.1-sol"].contract.prices


def refusal(text: str) -> str:
    """Why the file is refused; empty when it is taken."""
    try:
        read(text)
    except RefusedFileError as error:
        return str(error)
    return ""


REFUSED = [
    ("base_url: https://api", "base_ulr: https://api", 12, "providers.openai.base_ulr: there is no such field"),
    ("api_key_env: SOME_KEY", "api_key: sk-123", 13, "providers.openai.api_key: there is no such field"),
    ("SOME_KEY", "sk-secret-value", 13, "has characters that are not allowed"),
    ("type: local", "type: locale", 3, "providers.local: `type` must be one of 'local', "),
    ("https://api.example.com/v1/", "ftp://x", 12, "must be a http or https address"),
    ("https://api.example.com/v1/", "https://u:p@x/v1", 12, "must hold no credentials"),
    ("https://api.example.com/v1/", "https://x/v1?key=1", 12, "must hold no credentials"),
    ("input: 0.15", "input: -1", 19, "must be from 0 to 100000"),
    ("input: 0.15", "input: 0.0000001", 19, "at most 6 decimals"),
    ("input: 0.15", "input: cheap", 19, "must be a number such as 0.15"),
    ("input: 0.15", "input: .nan", 19, "must be a number such as 0.15"),
    ("context_length: 128000", "context_length: many", 18, "valid integer"),
    ("context_length: 128000", "context_length: -5", 18, "greater than or equal to 0"),
    ("        chat: true\n        tool", "        tool", 15, "needs `chat: true` or `embeddings: true`"),
    ("[local/chat,", "[local/nope,", 21, "there is no model 'local/nope' above"),
    ("[local/chat,", "[local/embed,", 21, "does not say `chat: true`"),
    ("[local/chat,", "[local/chat, local/chat,", 21, "stands twice"),
    ("embed: local/embed", "embed: local/chat", 22, "`embeddings: true`"),
    ("  openai:", "  Open AI:", 10, "not allowed"),
    ("  openai:", "  local:", 10, "the key 'local' stands twice"),
    ("version: 1", "version: 2", 1, "version"),
    ("version: 1\n", "", 1, "version"),
    ("type: local", "type: [local", 5, "expected"),
    ("type: local", "type: local\n\tmodels: 3", 5, "found a tab character"),
    ("chat: true", "chat: &a true\n        tool_calling: *a", 8, "anchors and aliases"),
    ("name: chat", "name: !!python/object/apply:os.system [x]", 6, "valid string"),
]


@pytest.mark.parametrize(("old", "new", "line", "reason"), REFUSED)
def test_a_wrong_file_is_refused_with_its_line(old: str, new: str, line: int, reason: str) -> None:
    text = GOOD.replace(old, new, 1)
    assert text != GOOD
    with pytest.raises(RefusedFileError) as caught:
        read(text)
    message = str(caught.value)
    assert message.startswith(f"line {line}: ")
    assert reason in message
    # What stands in the file may be a secret put in the wrong place.
    assert "sk-" not in message
    assert "u:p" not in message


@pytest.mark.parametrize(
    "text",
    [
        "",
        "5",
        "[]",
        "null",
        "version: 1\n",
        "a: &x [1]\nb: *x",
        "\0",
        "a: b: c",
        "- " * 3000,
        "[" * 3000,
        "- " * 300_000,
        "{a: " * 100_000,
        "? [a]\n: b",
        "--- 1\n--- 2\n",
        "version: 1\nproviders:\n",
        "version: 1\nproviders: {a: 5}",
        "version: 1\nproviders: {a: {type: local, models: []}}",
        "version: 2026-01-01",
        "version: 2026-13-45",
        "version: 0b",
        "version: " + "1" * 5000,
        "version: 1.0e+99999999999999999999",
    ],
)
def test_what_is_no_providers_file_is_refused(text: str) -> None:
    with pytest.raises(RefusedFileError, match=r"^line \d+: "):
        read(text)


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(RefusedFileError, match="line 2: is not UTF-8"):
        read_configuration(b"version: 1\nx: \xff", LOCAL)


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    message = refusal(text)
    assert not message or re.match(r"line \d+: .", message)


@given(st.integers(0, len(GOOD) - 1), st.sampled_from([":", "-", "[", "}", "\n", " ", '"', "#", "&", "*", "!"]))
def test_a_damaged_file_is_read_or_refused(place: int, character: str) -> None:
    message = refusal(GOOD[:place] + character + GOOD[place + 1 :])
    assert not message or re.match(r"line \d+: .", message)


def test_no_providers_is_a_file_too() -> None:
    assert not read("version: 1\nproviders: {}\n").providers


@pytest.mark.parametrize(
    ("url", "said", "encrypted"),
    [
        ("https://api.example.com/v1", "", True),
        ("http://127.0.0.1:8000/v1", "", True),
        ("http://localhost:8000/v1", "", True),
        ("http://[::1]:8000/v1", "", True),
        ("http://10.0.0.1:8000/v1", "", False),
        ("http://models.example.com/v1", "clearance: confidential", False),
        ("http://10.0.0.1:8000/v1", "encrypted: true", True),
        ("https://api.example.com/v1", "encrypted: false", False),
    ],
)
def test_what_goes_over_the_network_in_the_clear_is_not_encrypted(url: str, said: str, encrypted: bool) -> None:
    model = f"{{name: m, chat: true, privacy: {{{said}}}}}"
    text = f"version: 1\nproviders:\n  one: {{type: openai_compatible, base_url: '{url}', models: [{model}]}}\n"
    snapshot = snapshot_of(FilesState(read_configuration(text.encode(), LOCAL)), {}, 1, NOW)
    assert snapshot.services["one/m"].contract.privacy.encrypted is encrypted
