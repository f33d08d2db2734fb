"""The contracts that ship, as a provider of the catalogue's own name would have them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from provider_router.adapters.yaml_file.contract_reader import contract_from, read_catalogue
from provider_router.adapters.yaml_file.contract_schema import CatalogEntry
from provider_router.adapters.yaml_file.source_file import SourceFile
from provider_router.domain.contracts.contract import Contract

CONTRACTS = Path(__file__).parents[1] / "config" / "contracts"
FAMILIES = ("anthropic", "gemini", "local", "ollama", "openai", "perplexity", "vllm")


@cache
def shipped(family: str) -> dict[str, Contract]:
    """The contracts of one family, by the model's name."""
    path = CONTRACTS / f"{family}.yaml"
    catalogue = read_catalogue(SourceFile(f"contracts/{path.name}", path.read_bytes()))
    forms = {
        model: CatalogEntry.model_validate({"model": model, **entry}) for model, entry in catalogue.entries.items()
    }
    return {model: contract_from(form, f"{family}/{model}") for model, form in forms.items()}
