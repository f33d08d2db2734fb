"""Each YAML example of the documentation is a whole file that the router takes, or says of what it is a part."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from google.protobuf import json_format

from protos.gen.nexus.router.v1 import router_pb2
from provider_router.adapters.yaml_file.located_yaml import RefusedFileError
from provider_router.adapters.yaml_file.provider_reader import ConfigurationReader, LocalAddresses
from provider_router.adapters.yaml_file.source_file import SourceFile

ROOT = Path(__file__).parents[3]
LOCAL = LocalAddresses("http://127.0.0.1:1/v1", "http://127.0.0.1:2/v1")
PAGES = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
# What stands around a part, by its first line.
AROUND = {
    "# a part of config/providers.yaml": "version: 1\n",
    "# a part of config/providers.yaml, below `providers:`": "version: 1\nproviders:\n",
}
EXAMPLES = [
    pytest.param(text, id=f"{page.relative_to(ROOT)}-{number}")
    for page in sorted(PAGES)
    for number, text in enumerate(re.findall(r"```yaml\n(.*?)```", page.read_text("utf-8"), re.DOTALL))
]
PROVIDERS = [each for each in EXAMPLES if re.search(r"^ +type: \w+", str(each.values[0]), re.MULTILINE)]


def read(text: str) -> None:
    files = [*(ROOT / "config/contracts").glob("*.yaml")]
    sources = {f"contracts/{file.name}": SourceFile(f"contracts/{file.name}", file.read_bytes()) for file in files}
    sources["providers.yaml"] = SourceFile("providers.yaml", text.encode())
    ConfigurationReader("providers.yaml", LOCAL)(sources)


@pytest.mark.parametrize("text", EXAMPLES)
def test_every_example_is_whole_or_marked_as_a_part(text: str) -> None:
    first = text.lstrip().split("\n", 1)[0]
    is_contract = text.startswith("name: ")
    assert first.startswith("# a part of ") or is_contract or text.startswith("version: 1\n")


@pytest.mark.parametrize("text", PROVIDERS)
def test_the_router_takes_every_providers_file(text: str) -> None:
    first = text.lstrip().split("\n", 1)[0]
    read(AROUND.get(first, "") + text)


def test_the_call_of_the_page_on_the_cache_is_one() -> None:
    page = (ROOT / "docs/cache.md").read_text("utf-8")
    (body,) = re.findall(r"-d '(.*?)' ", page, re.DOTALL)
    request = json_format.Parse(body, router_pb2.ChatCompletionRequest())
    assert request.routing.cache_mode == router_pb2.CACHE_MODE_SEMANTIC
    assert "/nexus.router.v1.RouterService/ChatCompletion" in page


def test_there_are_some() -> None:
    assert len(PROVIDERS) >= 5
    with pytest.raises(RefusedFileError, match="version"):
        read(str(PROVIDERS[0].values[0]).replace("version: 1\n", ""))
