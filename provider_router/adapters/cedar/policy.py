"""Reads a text of Cedar policies, one by one, and says on which line one is wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any, cast

import cedarpy

from provider_router.adapters.cedar.mistake import place_of_mistake
from provider_router.adapters.cedar.schema import CONTEXT_FEATURES, SCHEMA

_ID = re.compile(r"[a-z0-9][a-z0-9_.-]{0,62}")
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|//[^\n]*|;|[^";/]+|.', re.DOTALL)
_BRACKET = re.compile(r"[()\[\]{}]")
_BLANK = re.compile(r"(?:\s|//[^\n]*(?:\n|$))*")
_NAME_IN_ERROR = re.compile(r"^for policy `[^`]*`, ")
_ANNOTATIONS = frozenset({"id", "description", "overridable", "overrides"})
_POLICIES_CAP = 500
_CHARS_CAP = 16 * 1024
_NESTING_CAP = 64
"""What Cedar's parser is trusted with: it follows nesting and long chains by recursion, and their depth, a few times
these caps, ends the process and not the parsing. Who tries rules on a running router may be anybody."""

ANY_FACT = "*"


class Layer(StrEnum):
    """Whose policies they are."""

    PLATFORM = "platform"
    ORGANISATION = "organisation"


class WrongPolicyError(ValueError):
    """A policy is wrong. `line` and `column` count from 0, within the text; without a column, all of it is meant."""

    def __init__(self, line: int, reason: str, column: int | None = None) -> None:
        super().__init__(reason)
        self.line = line
        self.column = column


@dataclass(frozen=True, slots=True)
class _Statement:
    """The text of one policy, and the line and column, from 0, where it starts."""

    text: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Policy:
    """One policy.

    Attributes:
        id: Unique within its layer.
        layer: Whose it is.
        forbids: Whether it forbids; else it permits.
        overridable: Whether an organisation may lift it.
        overrides: The platform's policy that it lifts; empty for none.
        reads: Features of a request that it reads.
        facts: Attributes of a service that it reads, and `#x` for the trait x; holds ANY_FACT when it may read all.
        line: Where it starts in its text, from 0.
        form: In Cedar's JSON form.
    """

    id: str
    layer: Layer
    forbids: bool
    overridable: bool
    overrides: str
    reads: frozenset[str]
    facts: frozenset[str]
    line: int
    form: Mapping[str, Any]


def policies_in(text: str, layer: Layer) -> tuple[Policy, ...]:
    """The policies in `text`, in their order.

    Raises:
        WrongPolicyError: One cannot be parsed, does not fit the schema, or lacks an id of its own.
    """
    policies: list[Policy] = []
    for statement in _statements(text):
        policy = _policy(statement, layer)
        if any(policy.id == each.id for each in policies):
            raise WrongPolicyError(statement.line, f"the policy '{policy.id}' stands twice")
        policies.append(policy)
        if len(policies) > _POLICIES_CAP:
            raise WrongPolicyError(statement.line, f"there are more than {_POLICIES_CAP} policies")
    return tuple(policies)


def check_overrides(policies: tuple[Policy, ...], platform: tuple[Policy, ...]) -> None:
    """Checks that the policies of an organisation lift only what the platform lets them lift.

    Raises:
        WrongPolicyError: One does not.
    """
    liftable = {each.id for each in platform if each.overridable}
    for policy in policies:
        if policy.overrides and policy.overrides not in liftable:
            message = f"the platform has no policy '{policy.overrides}' with @overridable(\"true\")"
            raise WrongPolicyError(policy.line, message)


def prepared(forms: Mapping[str, Mapping[str, Any]]) -> cedarpy.PolicySet:
    """Policies by their names, ready to be asked.

    Raises:
        ValueError, RecursionError: One of them is too deep for Cedar's JSON form.
    """
    document: dict[str, object] = {"templates": {}, "staticPolicies": forms, "templateLinks": []}
    return cedarpy.PolicySet.from_json_str(json.dumps(document))


def _statements(text: str) -> Iterator[_Statement]:
    """Each policy. It ends with a semicolon that is in no text or comment."""
    begin = 0
    for token in _TOKEN.finditer(text):
        if token[0] == ";":
            yield _located(text, begin, token.end())
            begin = token.end()
    if _BLANK.fullmatch(text, begin) is None:
        yield _located(text, begin, len(text))


def _located(text: str, begin: int, end: int) -> _Statement:
    blank = _BLANK.match(text, begin)
    start = blank.end() if blank else begin
    return _Statement(text[start:end], text.count("\n", 0, start), start - text.rfind("\n", 0, start) - 1)


def _policy(statement: _Statement, layer: Layer) -> Policy:
    text, line = statement.text, statement.line
    if len(text) > _CHARS_CAP:
        raise WrongPolicyError(line, f"has more than {_CHARS_CAP} characters")
    if _nesting(text) > _NESTING_CAP:
        raise WrongPolicyError(line, f"is nested more than {_NESTING_CAP} deep")
    try:
        policy = _parsed(statement, layer)
        # What cannot be prepared now could not be asked later, and no call would find a service.
        prepared({policy.id: policy.form})
    except WrongPolicyError:
        raise
    except (RecursionError, ValueError) as error:
        raise WrongPolicyError(line, "joins too many conditions to one; use a set, or several policies") from error
    return policy


def _nesting(statement: str) -> int:
    """How deep brackets stand in brackets; those in texts and comments do not count."""
    depth = deepest = 0
    for token in _TOKEN.finditer(statement):
        if token[0].startswith(('"', "//")):
            continue
        for bracket in _BRACKET.findall(token[0]):
            depth += 1 if bracket in "([{" else -1
            deepest = max(deepest, depth)
    return deepest


def _parsed(statement: _Statement, layer: Layer) -> Policy:
    text = statement.text
    try:
        parsed = json.loads(cedarpy.policies_to_json_str(text))
    except ValueError as error:
        raise _mistake(statement, str(error), "is no Cedar policy: ") from error
    forms = list(parsed["staticPolicies"].values())
    if parsed["templates"] or len(forms) != 1:
        raise WrongPolicyError(statement.line, "must be one policy without slots")
    if minded := _minded_by_schema(text):
        raise _mistake(statement, minded[0])
    form = forms[0]
    notes = {name: value or "" for name, value in form.get("annotations", {}).items()}
    problem = _annotation_problem(notes, layer, forbids=form["effect"] == "forbid")
    if problem:
        raise _mistake(statement, problem)
    return Policy(
        id=notes["id"],
        layer=layer,
        forbids=form["effect"] == "forbid",
        overridable="overridable" in notes,
        overrides=notes.get("overrides", ""),
        reads=frozenset(_features(form)),
        facts=frozenset(_facts(form)),
        line=statement.line,
        form={key: value for key, value in form.items() if key != "annotations"},
    )


def _mistake(statement: _Statement, message: str, before: str = "") -> WrongPolicyError:
    """The error for `message` about `statement`, with the place of the mistake."""
    place = place_of_mistake(statement.text, message, _minded)
    lines = statement.text[:place].split("\n")
    column = len(lines[-1]) + (statement.column if len(lines) == 1 else 0)
    return WrongPolicyError(statement.line + len(lines) - 1, before + message, column)


def _minded(text: str) -> tuple[str, ...]:
    try:
        cedarpy.policies_to_json_str(text)
    except ValueError as error:
        return (str(error),)
    return _minded_by_schema(text)


def _minded_by_schema(statement: str) -> tuple[str, ...]:
    found = cedarpy.validate_policies(statement, _schema())  # pyright: ignore[reportUnknownMemberType]
    if found.validation_passed:
        return ()
    return tuple(_NAME_IN_ERROR.sub("", each.error) for each in found.errors) or ("does not fit the schema",)


def _annotation_problem(notes: Mapping[str, str], layer: Layer, *, forbids: bool) -> str:
    unknown = sorted(notes.keys() - _ANNOTATIONS)
    if unknown:
        return f"there is no annotation @{unknown[0]}"
    if _ID.fullmatch(notes.get("id", "")) is None:
        return 'needs @id("..."), of lower-case letters, digits, points and dashes, so that a decision can name it'
    if "overridable" in notes and (notes["overridable"] != "true" or layer is not Layer.PLATFORM or not forbids):
        return 'only @overridable("true") on a forbid of the platform means something'
    if "overrides" in notes and (layer is not Layer.ORGANISATION or forbids):
        return "@overrides is for permits of an organisation"
    return ""


def _features(node: object) -> Iterator[str]:
    """What a policy reads of a request. Where that is not plain to see, more is named rather than less."""
    for form in _forms(node):
        if form.get("type") == "User":
            yield "user"
        if form.get("type") == "Group":
            yield "roles"
        if form.get("Var") == "principal":
            yield from ("user", "roles")
        if form.get("Var") == "context":
            yield from CONTEXT_FEATURES.values()
        attribute = _attribute_of("context", form)
        if attribute is not None:
            yield CONTEXT_FEATURES.get(attribute, attribute)


def _facts(node: object) -> Iterator[str]:
    """What a policy reads of a service. Where that is not plain to see, everything is named."""
    for form in _forms(node):
        if form.get("type") == "Service" or form.get("Var") == "resource":
            yield ANY_FACT
        if form.get("type") == "Provider":
            yield "provider"
        attribute = _attribute_of("resource", form)
        if attribute is not None:
            yield attribute


def _forms(node: object) -> Iterator[Mapping[str, object]]:
    """Every object in a policy's JSON form; not what is inside of a plain access to an attribute."""
    if isinstance(node, list):
        for each in cast("list[object]", node):
            yield from _forms(each)
    if isinstance(node, dict):
        form = cast("dict[str, object]", node)
        yield form
        if _attribute_of("context", form) is None and _attribute_of("resource", form) is None:
            for each in form.values():
                yield from _forms(each)


def _attribute_of(variable: str, form: Mapping[str, object]) -> str | None:
    """The attribute in `variable.x` and `variable has x`, `#x` for a tag x that is named; None for anything else."""
    for operator, key in ((".", "attr"), ("has", "attr"), ("hasTag", "right"), ("getTag", "right")):
        access = form.get(operator)
        if isinstance(access, dict):
            found = cast("dict[str, object]", access)
            name = found.get(key)
            if found.get("left") == {"Var": variable}:
                return _literal(name)
    return None


def _literal(name: object) -> str | None:
    """An attribute's name, or a tag's with a number sign before it; None for a tag whose name is computed."""
    if isinstance(name, str):
        return name
    value = cast("dict[str, object]", name).get("Value") if isinstance(name, dict) else None
    return f"#{value}" if isinstance(value, str) else None


@cache
def _schema() -> cedarpy.Schema:
    return cedarpy.Schema.from_str(SCHEMA)
