"""Routing rules in YAML: what they become, how organisations stand over the platform, and what is refused where."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from router_strategies import rule_sets

from provider_router.adapters.yaml_file.located_yaml import RefusedFileError
from provider_router.adapters.yaml_file.rules_reader import (
    RulesReader,
    built_in_rules,
    closed_rules,
    read_organisation_rules,
    read_platform_rules,
)
from provider_router.adapters.yaml_file.source_file import SourceFile
from provider_router.domain.contracts.contract import DataClass
from provider_router.domain.decisions.canonical_json import NotCanonical
from provider_router.domain.rulebook.rules import RuleSet, Services, When
from provider_router.domain.rulebook.rules_document import decode_rules, encode_rules
from provider_router.domain.rulebook.tiers import BALANCED, BUILT_IN, FAST

SHIPPED = Path(__file__).parents[3] / "config" / "routing" / "platform.yaml"
PLATFORM = """\
version: 1
defaults: {tier: thrifty, data_class: confidential}
policies: |
  @id("home")
  @overridable("true")
  forbid (principal, action, resource) when { context.data_class == "restricted" && !resource.on_premises };

  @id("by-tier") forbid (principal, action, resource) when { context has tier && context.tier == "odd" };
requirements:
  - id: tools-by-big-ones
    priority: 7
    when: {needs_tools: true, task_classes: [code, agentic], min_complexity: 0.25}
    services: {tags: [frontier], traits: {size: 3}}
preferences:
  - {id: own, services: {on_premises: true}, strength: 0.125}
  - {id: demo, priority: 5, services: {demonstration: true}, strength: -1}
tiers:
  thrifty:
    weights: {cost: 5, quality: 0.001}
    cost_reference_usd: 0.0005
  fast: {max_links: 1, min_quality: 0.75, hedge: false}
"""


def platform(text: str = PLATFORM) -> RuleSet:
    return read_platform_rules(SourceFile("routing/platform.yaml", text.encode()))


def organisation(text: str, beneath: RuleSet | None = None) -> RuleSet:
    source = SourceFile("routing/organisations/acme.yaml", text.encode())
    return read_organisation_rules(source, "acme", beneath or platform())


def test_a_file_becomes_rules() -> None:
    rules = platform()
    assert (rules.default_tier, rules.default_data_class) == ("thrifty", DataClass.CONFIDENTIAL)
    assert rules.policy_reads == {"data_class", "tier"}
    requirement = rules.requirements[0]
    assert (requirement.id, requirement.priority) == ("tools-by-big-ones", 7)
    assert requirement.when == When(
        task_classes=frozenset({"code", "agentic"}), min_complexity_ppm=250_000, needs_tools=True
    )
    assert requirement.services == Services(tags=frozenset({"frontier"}), traits={"size": 3})
    assert [(each.id, each.strength_ppm) for each in rules.preferences] == [("own", 125_000), ("demo", -1_000_000)]


def test_a_tier_takes_what_it_leaves_out_from_the_one_beneath() -> None:
    rules = platform()
    thrifty, fast = rules.tiers["thrifty"], rules.tiers["fast"]
    assert (thrifty.weights.cost, thrifty.weights.quality, thrifty.weights.fit) == (5_000, 1, BALANCED.weights.fit)
    assert (thrifty.name, thrifty.cost_reference_micro_usd, thrifty.tries) == ("thrifty", 500, BALANCED.tries)
    assert (fast.max_links, fast.min_quality_ppm, fast.hedge, fast.weights) == (1, 750_000, False, FAST.weights)
    own = organisation("version: 1\ntiers: {fast: {tries: 1}}\n")
    assert (own.tiers["fast"].tries, own.tiers["fast"].max_links) == (1, 1)
    assert rules.tiers["balanced"] == BUILT_IN["balanced"]


def test_an_organisation_adds_to_the_platform() -> None:
    own = organisation(
        "version: 1\ndefaults: {tier: deep}\nrequirements:\n  - {id: mine, services: {names: ['ada/*']}}\n"
    )
    assert own.org_id == "acme"
    assert [each.id for each in own.requirements] == ["tools-by-big-ones", "mine"]
    assert (own.default_tier, own.default_data_class) == ("deep", DataClass.CONFIDENTIAL)
    assert own.platform_policies == platform().platform_policies


@pytest.mark.parametrize(("priority", "counts"), [(4, -1_000_000), (5, 500_000), (6, 500_000)])
def test_of_preferences_with_one_id_the_highest_priority_counts(priority: int, counts: int) -> None:
    preference = f"{{id: demo, priority: {priority}, services: {{demonstration: true}}, strength: 0.5}}"
    own = organisation(f"version: 1\npreferences: [{preference}]\n")
    assert [each.strength_ppm for each in own.preferences if each.id == "demo"] == [counts]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("version: 2\n", "line 1: version: "),
        ("version: 1\npolicy: x\n", "line 2: policy: there is no such field"),
        ("version: 1\ntiers: {fast: {weight: {}}}\n", "line 2: tiers.fast.weight: there is no such field"),
        (
            "version: 1\ntiers:\n  fast:\n    weights: {cost: 10.5}\n",
            "line 4: tiers.fast.weights.cost: must be from 0 to",
        ),
        ("version: 1\ntiers: {fast: {weights: {cost: 0.0001}}}\n", "must have at most 3 decimals"),
        ("version: 1\ntiers: {fast: {cost_reference_usd: 0}}\n", "tiers.fast.cost_reference_usd: "),
        ("version: 1\ntiers: {fast: {max_links: 0}}\n", "tiers.fast.max_links: "),
        ("version: 1\ndefaults: {tier: none}\n", "line 2: defaults.tier: there is no tier 'none'"),
        (
            "version: 1\nrequirements:\n  - id: a\n    services: {}\n",
            "line 4: requirements[0].services: needs names, tags, traits, on_premises or demonstration",
        ),
        (
            "version: 1\npreferences:\n  - {id: a, strength: 2, services: {tags: [x]}}\n",
            "line 3: preferences[0].strength: must be from -1 to 1",
        ),
        (
            (
                "version: 1\npreferences:\n  - id: a\n    strength: 1\n    services: {tags: [x]}\n"
                "    when: {tiers: [fast, hasty]}\n"
            ),
            "line 6: preferences[0].when.tiers[1]: there is no tier 'hasty'",
        ),
        (
            "version: 1\nrequirements:\n  - {id: a, services: {tags: [x]}}\n  - {id: a, services: {tags: [x]}}\n",
            "line 4: requirements[1].id: the id 'a' stands twice",
        ),
        (
            "version: 1\nrequirements:\n  - {id: a, services: {tags: [x]}, when: {task_classes: [cooking]}}\n",
            "line 3: requirements[0].when.task_classes[0]: must be one of general, code",
        ),
        # Policies: the line is that of the policy, whatever stands before it.
        (
            (
                'version: 1\npolicies: |\n  // one;\n  @id("a") permit (principal, action, resource);\n\n'
                '  // "two";\n  @id("b")\n  forbid (principal, action, resource) when { resource.colour == 1 };\n'
            ),
            "line 8: policies: attribute `colour` on entity type `Service` not found",
        ),
        ("version: 1\npolicies: permit (principal, action);\n", "line 2: policies: is no Cedar policy: "),
        ("version: 1\npolicies: |\n  permit (principal, action, resource);\n", 'line 3: policies: needs @id("...")'),
        ('version: 1\npolicies: |\n  @id("a") permit (principal, action, resource)\n', "line 3: policies: is no Cedar"),
        (
            'version: 1\npolicies: |\n  @id("a") permit (principal == ?principal, action, resource);\n',
            "line 3: policies: must be one policy without slots",
        ),
        (
            (
                'version: 1\npolicies: |\n  @id("a") permit (principal, action, resource);\n'
                '  @id("a") permit (principal, action, resource);\n'
            ),
            "line 4: policies: the policy 'a' stands twice",
        ),
        (
            'version: 1\npolicies: |\n  @id("a") @note("x") permit (principal, action, resource);\n',
            "line 3: policies: there is no annotation @note",
        ),
        (
            (
                'version: 1\npolicies: |\n  @id("a") permit (principal, action, resource)\n'
                "  when { resource.retention_days < 3 };\n"
            ),
            "line 4: policies: unable to guarantee safety of access to optional attribute",
        ),
    ],
)
def test_what_is_wrong_is_refused_with_its_line(text: str, said: str) -> None:
    with pytest.raises(RefusedFileError) as caught:
        platform(text)
    assert caught.value.file == "routing/platform.yaml"
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ('@id("a") @overridable("true") forbid (principal, action, resource);', "@overridable"),
        ('@id("a") @overrides("home") forbid (principal, action, resource);', "@overrides is for permits"),
        ('@id("a") @overrides("by-tier") permit (principal, action, resource);', "has no policy 'by-tier' with"),
        ('@id("a") @overrides("gone") permit (principal, action, resource);', "has no policy 'gone' with"),
    ],
)
def test_an_organisation_lifts_only_what_the_platform_lets_it_lift(policy: str, said: str) -> None:
    with pytest.raises(RefusedFileError, match="line 3: policies: ") as caught:
        organisation(f"version: 1\npolicies: |\n  {policy}\n")
    assert said in str(caught.value)


def test_what_does_not_change_stays_the_very_same_object() -> None:
    read = RulesReader("routing/platform.yaml")
    sources = {
        "routing/platform.yaml": SourceFile("routing/platform.yaml", PLATFORM.encode()),
        "routing/organisations/acme.yaml": SourceFile("routing/organisations/acme.yaml", b"version: 1\n"),
    }
    before = read(sources)
    changed = SourceFile("routing/organisations/acme.yaml", b"version: 1\ndefaults: {tier: deep}\n")
    after = read({**sources, "routing/organisations/acme.yaml": changed})
    assert after.platform is before.platform
    assert after.organisations["acme"] is not before.organisations["acme"]
    assert read({}).platform.digest == built_in_rules().digest


def test_a_file_named_after_no_organisation_is_refused() -> None:
    name = "routing/organisations/-.yaml"
    rules = RulesReader("routing/platform.yaml")({name: SourceFile(name, b"version: 1\n")})
    assert [(each.file, each.line) for each in rules.wrong] == [(name, 1)]
    assert "name of an organisation" in rules.wrong[0].reason


@given(rule_sets())
def test_rules_come_back_from_their_canonical_form(rules: RuleSet) -> None:
    document = encode_rules(rules)
    again = decode_rules(document)
    assert encode_rules(again) == document
    assert again.digest == rules.digest
    assert (again.requirements, again.preferences, again.tiers) == (rules.requirements, rules.preferences, rules.tiers)
    assert (again.platform_policies, again.org_policies) == (rules.platform_policies, rules.org_policies)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"tries":2', b'"tries":2.0'),
        (b'{"default', b'{ "default'),
        (b'"version":1', b'"version":2'),
        (b'"hedge":false', b'"hedge":0'),
    ],
)
def test_other_bytes_are_no_canonical_form(old: bytes, new: bytes) -> None:
    document = encode_rules(built_in_rules())
    assert old in document
    with pytest.raises(NotCanonical):
        decode_rules(document.replace(old, new, 1))


def test_the_shipped_rules_are_good_and_read_only_the_data_class() -> None:
    rules = read_platform_rules(SourceFile("routing/platform.yaml", SHIPPED.read_bytes()))
    assert rules.policy_reads == {"data_class"}
    assert rules.tiers == BUILT_IN
    assert [each.id for each in rules.preferences] == ["demonstration-last"]


def test_everything_in_the_shipped_rules_comments_is_good_too() -> None:
    lines = SHIPPED.read_text(encoding="utf-8").splitlines()
    head = lines.index("requirements: []")
    # The examples: without their comment signs, and without the empty values that they would replace.
    examples = [line[1:] if line.startswith("#  ") else line for line in lines[head:]]
    text = (
        "\n".join([*lines[:head], *examples])
        .replace("requirements: []", "requirements:")
        .replace("tiers: {}", "tiers:")
    )
    text = text.replace("  // ", "  ").replace("  //\n", "\n").replace("  More examples:\n", "")
    rules = read_platform_rules(SourceFile("platform.yaml", text.encode()))
    assert [each.id for each in rules.requirements] == ["agents-need-reasoning"]
    assert [each.id for each in rules.preferences] == ["demonstration-last", "short-texts-stay-here"]
    assert rules.tiers["fast"] == FAST
    assert rules.tiers["thrifty"].weights.cost == 5_000
    assert rules.policy_reads == {"data_class", "user", "roles", "complexity", "tier"}


def test_before_any_rules_were_good_everything_is_forbidden() -> None:
    assert "forbid (principal, action, resource);" in closed_rules("nobody read them").platform_policies
    assert platform("version: 1\n").platform_policies == ""
