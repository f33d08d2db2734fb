"""The examples of docs/pricing.md hold."""

from __future__ import annotations

import re
from pathlib import Path

from provider_router.adapters.token_counter_estimated import FAMILIES
from provider_router.adapters.yaml_file.contract_reader import contract_from, read_catalogue
from provider_router.adapters.yaml_file.contract_schema import CatalogEntry
from provider_router.adapters.yaml_file.source_file import SourceFile

PAGE = (Path(__file__).parents[3] / "docs" / "pricing.md").read_text()


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert found
    return found.group(1)


def test_the_python_example_runs() -> None:
    exec(compile(block("python"), "docs/pricing.md", "exec"), {})  # noqa: S102 - our own page


def test_the_yaml_example_is_accepted_and_has_the_price_of_the_python_example() -> None:
    catalogue = read_catalogue(SourceFile("contracts/example.yaml", block("yaml").encode()))
    form = CatalogEntry.model_validate({"model": "m", **catalogue.entries["example-large"]})
    names: dict[str, object] = {}
    exec(compile(block("python"), "docs/pricing.md", "exec"), names)  # noqa: S102 - our own page
    price = contract_from(form, "example/example-large").prices[-1]
    shown = names["price"]
    assert (price.rates, price.per_request, price.effective_date) == (
        shown.rates,
        shown.per_request,
        shown.effective_date,
    )


def test_every_family_of_tokenizers_is_named() -> None:
    assert all(f"`{family}`" in PAGE for family in FAMILIES)
