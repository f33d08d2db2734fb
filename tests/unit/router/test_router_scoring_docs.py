"""The examples in the pages about scoring and rules do what they say."""

from __future__ import annotations

import doctest
import re
from dataclasses import fields
from pathlib import Path

from provider_router.adapters.cedar.schema import CONTEXT_FEATURES, SCHEMA
from provider_router.adapters.yaml_file.rules_reader import read_organisation_rules, read_platform_rules
from provider_router.adapters.yaml_file.rules_schema import ServicesForm, TierForm, WhenForm
from provider_router.adapters.yaml_file.source_file import SourceFile
from provider_router.domain.decisions.decision import TERMS, Rejected
from provider_router.domain.rulebook.rules import Weights

DOCS = Path(__file__).parents[3] / "docs"
RULES = (DOCS / "rules.md").read_text(encoding="utf-8")
SCORING = (DOCS / "scoring.md").read_text(encoding="utf-8")


def test_the_example_of_scoring_runs() -> None:
    results = doctest.testfile(str(DOCS / "scoring.md"), module_relative=False)
    assert results.attempted > 10
    assert results.failed == 0


def test_the_examples_of_rules_are_good() -> None:
    platform, organisation = re.findall(r"```yaml\n(.*?)```", RULES, re.DOTALL)
    rules = read_platform_rules(SourceFile("platform.yaml", platform.encode()))
    assert rules.tiers["thrifty"].weights.cost == 5_000
    own = read_organisation_rules(SourceFile("acme.yaml", organisation.encode()), "acme", rules)
    assert own.policy_reads == {"data_class", "roles"}


def test_the_pages_name_every_reason_term_and_field() -> None:
    for reason in Rejected:
        assert f"`{reason}`" in SCORING
    for term in TERMS:
        assert f"| {term} |" in SCORING
    named = [*WhenForm.model_fields, *ServicesForm.model_fields, *TierForm.model_fields]
    for name in [*named, *(field.name for field in fields(Weights)), *CONTEXT_FEATURES]:
        assert f"`{name}`" in RULES, name
    for attribute in re.findall(r"^  (\w+\??):", SCHEMA.partition("action")[0], re.MULTILINE):
        assert f"`{attribute}`" in RULES, attribute
