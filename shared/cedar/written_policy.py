"""Reads a text of Cedar policies, one by one, and says on which line one is wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

import cedarpy

from shared.cedar.mistake import place_of_mistake

_ID = re.compile(r"[a-z0-9][a-z0-9_.-]{0,62}")
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|//[^\n]*|;|[^";/]+|.', re.DOTALL)
_BRACKET = re.compile(r"[()\[\]{}]")
_BLANK = re.compile(r"(?:\s|//[^\n]*(?:\n|$))*")
_NAME_IN_ERROR = re.compile(r"^for policy `[^`]*`, ")
_POLICIES_CAP = 500
_CHARS_CAP = 16 * 1024
_NESTING_CAP = 64
"""What Cedar's parser is trusted with: it follows nesting and long chains by recursion, and their depth, a few times
these caps, ends the process and not the parsing. Who tries policies on a running service may be anybody."""


class WrongPolicyError(ValueError):
    """A policy is wrong. `line` and `column` count from 0, within the text; without a column, all of it is meant."""

    def __init__(self, line: int, reason: str, column: int | None = None) -> None:
        super().__init__(reason)
        self.line = line
        self.column = column


@dataclass(frozen=True, slots=True)
class WrittenPolicy:
    """One policy.

    Attributes:
        id: Unique within its text.
        forbids: Whether it forbids; else it permits.
        notes: Its annotations.
        line: Where it starts in its text, from 0.
        form: In Cedar's JSON form, without annotations.
    """

    id: str
    forbids: bool
    notes: Mapping[str, str]
    line: int
    form: Mapping[str, Any]


Objection: TypeAlias = Callable[[Mapping[str, str], bool], str]
"""What is wrong with a policy's annotations, given whether it forbids; nothing when they are good."""


@dataclass(frozen=True, slots=True)
class _Statement:
    """The text of one policy, and the line and column, from 0, where it starts."""

    text: str
    line: int
    column: int


def written_policies(text: str, schema: str, objection: Objection) -> tuple[WrittenPolicy, ...]:
    """The policies in `text`, in their order.

    Args:
        text: What somebody wrote.
        schema: What policies may speak of, in Cedar's own form.
        objection: Judges annotations, `id` apart: that one every policy needs.

    Raises:
        WrongPolicyError: One cannot be parsed, does not fit the schema, lacks an id of its own, or is objected to.
    """
    policies: dict[str, WrittenPolicy] = {}
    for statement in _statements(text):
        policy = _policy(statement, schema, objection)
        if policy.id in policies:
            raise WrongPolicyError(statement.line, f"the policy '{policy.id}' stands twice")
        policies[policy.id] = policy
        if len(policies) > _POLICIES_CAP:
            raise WrongPolicyError(statement.line, f"there are more than {_POLICIES_CAP} policies")
    return tuple(policies.values())


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


def _policy(statement: _Statement, schema: str, objection: Objection) -> WrittenPolicy:
    text, line = statement.text, statement.line
    if len(text) > _CHARS_CAP:
        raise WrongPolicyError(line, f"has more than {_CHARS_CAP} characters")
    if _nesting(text) > _NESTING_CAP:
        raise WrongPolicyError(line, f"is nested more than {_NESTING_CAP} deep")
    try:
        policy = _parsed(statement, schema, objection)
        # What cannot be prepared now could not be asked later, and every call would be refused.
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


def _parsed(statement: _Statement, schema: str, objection: Objection) -> WrittenPolicy:
    text = statement.text
    try:
        parsed = json.loads(cedarpy.policies_to_json_str(text))
    except ValueError as error:
        raise _mistake(statement, schema, str(error), "is no Cedar policy: ") from error
    forms = list(parsed["staticPolicies"].values())
    if parsed["templates"] or len(forms) != 1:
        raise WrongPolicyError(statement.line, "must be one policy without slots")
    if minded := _minded_by_schema(text, schema):
        raise _mistake(statement, schema, minded[0])
    form = forms[0]
    notes = {name: value or "" for name, value in form.get("annotations", {}).items()}
    forbids = form["effect"] == "forbid"
    problem = objection(notes, forbids) or _id_problem(notes)
    if problem:
        raise _mistake(statement, schema, problem)
    bare = {key: value for key, value in form.items() if key != "annotations"}
    return WrittenPolicy(notes["id"], forbids, notes, statement.line, bare)


def _id_problem(notes: Mapping[str, str]) -> str:
    if _ID.fullmatch(notes.get("id", "")) is None:
        return 'needs @id("..."), of lower-case letters, digits, points and dashes, so that a decision can name it'
    return ""


def _mistake(statement: _Statement, schema: str, message: str, before: str = "") -> WrongPolicyError:
    """The error for `message` about `statement`, with the place of the mistake."""
    place = place_of_mistake(statement.text, message, lambda text: _minded(text, schema))
    lines = statement.text[:place].split("\n")
    column = len(lines[-1]) + (statement.column if len(lines) == 1 else 0)
    return WrongPolicyError(statement.line + len(lines) - 1, before + message, column)


def _minded(text: str, schema: str) -> tuple[str, ...]:
    try:
        cedarpy.policies_to_json_str(text)
    except ValueError as error:
        return (str(error),)
    return _minded_by_schema(text, schema)


def _minded_by_schema(statement: str, schema: str) -> tuple[str, ...]:
    found = cedarpy.validate_policies(statement, _schema(schema))  # pyright: ignore[reportUnknownMemberType]
    if found.validation_passed:
        return ()
    return tuple(_NAME_IN_ERROR.sub("", each.error) for each in found.errors) or ("does not fit the schema",)


@cache
def _schema(text: str) -> cedarpy.Schema:
    return cedarpy.Schema.from_str(text)
