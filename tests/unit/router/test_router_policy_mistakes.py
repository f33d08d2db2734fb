"""Where a mistake in a Cedar policy is said to be: at the mistake, not at the beginning of its policy."""

from __future__ import annotations

import re

import pytest
from cedarpy import policies_to_json_str
from hypothesis import given
from hypothesis import strategies as st

from provider_router.adapters.cedar.policy import Layer, policies_in
from provider_router.adapters.yaml_file.located_yaml import RefusedFileError
from provider_router.adapters.yaml_file.rules_reader import read_platform_rules
from provider_router.adapters.yaml_file.source_file import SourceFile
from shared.cedar.written_policy import WrongPolicyError

GOOD = """\
// Nobody knows why; "ask" them.
@id("home")
@overridable("true")
forbid (principal in Group::"a;b", action == Action::"route", resource)
when {
  context.data_class == "restricted" && // not resource.nam
  !(resource.on_premises || resource.context_length > 3)
}
unless { resource has retention_days && resource.retention_days <= 30 };
"""
_CODE = re.sub("//.*", lambda comment: " " * len(comment[0]), GOOD)
PLACES = [found.start() for found in re.finditer(r'"[^"]*"|\w+|::|[=<>]=|&&|\|\||[^\s\w]', _CODE)]


def place_in(text: str) -> int:
    with pytest.raises(WrongPolicyError) as caught:
        policies_in(text, Layer.PLATFORM)
    lines = text.split("\n")
    assert caught.value.column is not None
    return sum(len(line) + 1 for line in lines[: caught.value.line]) + caught.value.column


def test_the_policy_of_these_tests_is_good() -> None:
    assert policies_in(GOOD, Layer.PLATFORM)


@given(st.sampled_from(PLACES[1:]), st.integers(0, 3))
def test_a_token_that_cannot_stand_there_is_found(place: int, blank_lines: int) -> None:
    before = "\n" * blank_lines
    text = f"{before}{GOOD[:place]}] {GOOD[place:]}"
    assert place_in(text) == len(before) + place


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("resource.on_premises", "resource.on_premise", "on_premise ||"),
        ("context.data_class", "context.data_clas", "data_clas =="),
        ("resource has retention_days && ", "", "retention_days <="),
        ('Group::"a;b"', 'Grup::"a;b"', "Grup::"),
        ('Action::"route"', 'Action::"rout"', 'Action::"rout"'),
        ('== "restricted"', '= "restricted"', '= "restricted"'),
        ("!(resource", "!sum(resource", "sum(resource"),
        ("> 3)", "> 99999999999999999999\n)", "99999999999999999999"),
        ('@overridable("true")', '@note("x")', "@note"),
        ('@overridable("true")', '@id("x")', '@id("x")'),
        ("forbid (", "forbit (", "forbit"),
        ("30 };", "30 }", "}"),
    ],
)
def test_what_a_message_names_is_found(old: str, new: str, found: str) -> None:
    text = GOOD.replace(old, new)
    place = place_in(text)
    assert text[place:].startswith(found), text[place:]


def test_of_several_places_the_one_that_is_minded_is_named() -> None:
    guarded = "when { resource has retention_days && resource.retention_days > 1 && resource.quality_ppm > 2 }"
    text = f'@id("a") forbid (principal, action, resource)\n{guarded};\n'
    assert policies_in(text, Layer.PLATFORM)
    either = "when { (resource has retention_days && resource.retention_days > 1) ||\n  resource.retention_days > 2 };"
    text = f'@id("a") forbid (principal, action, resource)\n{either}\n'
    assert place_in(text) == text.rindex("retention_days")


def test_the_last_of_many_places_is_found_in_a_few_questions(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    real = policies_to_json_str
    monkeypatch.setattr("cedarpy.policies_to_json_str", lambda text: (asked.append(text), real(text))[1])
    days = ",".join(["resource.retention_days"] * 300)
    when = f"when {{ (resource has retention_days && [{days}] == [1]) || resource.retention_days > 2 }};"
    text = f'@id("a") forbid (principal, action, resource)\n{when}\n'
    assert place_in(text) == text.rindex("retention_days")
    assert len(asked) < 20


def test_a_policy_that_comes_after_good_ones_is_found_too() -> None:
    text = '@id("a") permit (principal, action, resource); @id("b") permit (principal, acton, resource);'
    assert text[place_in(text) :].startswith("acton")


@pytest.mark.parametrize(
    ("yaml", "said"),
    [
        ("policies: |\n    @id('a')", "line 3: policies: is no Cedar policy: "),
        (
            'policies: |  # ours\n    @id("a")\n      permit (principal,\n    acton, resource);',
            "line 5: policies: is no Cedar policy: found an invalid variable in the policy scope: acton (column 5)",
        ),
        (
            "policies: '@id(\"a\") permit (principal, acton, resource);'",
            "line 2: policies: is no Cedar policy: found an invalid variable in the policy scope: acton (column 40)",
        ),
    ],
)
def test_line_and_column_are_those_of_the_file(yaml: str, said: str) -> None:
    with pytest.raises(RefusedFileError) as caught:
        read_platform_rules(SourceFile("routing/platform.yaml", f"version: 1\n{yaml}\n".encode()))
    assert str(caught.value).startswith(said)
