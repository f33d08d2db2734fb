"""Text that somebody hostile wrote, a person or a model, costs time in proportion to its length and no more.

All of this runs on the event loop: a text whose cost grows with the square of its length stops every run, and the
supervisor ends a service that does not answer.
"""

from __future__ import annotations

import time
import zoneinfo
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from orchestrator.domain.extract_code import without_code
from orchestrator.domain.json_arguments import json_object_in
from orchestrator.domain.known_arguments import (
    CALCULATOR,
    CALENDAR,
    EXECUTE_CODE,
    KNOWLEDGE,
    TIME,
    Setting,
    known_arguments,
)
from orchestrator.domain.split_clauses import split_clauses
from tool_executor.domain.arguments import parse_arguments
from tool_executor.domain.tool_call import ToolFailure

CHARS = 200_000
MOST_S = 1.5
SETTING = Setting(datetime(2026, 1, 5, tzinfo=UTC), frozenset(zoneinfo.available_timezones()))

HOSTILE = {
    "blanks": "what" + " " * CHARS + "x",
    "tabs": "run" + "\t" * CHARS + "x",
    "lines": "\n" * CHARS,
    "and": "x" + " and" * (CHARS // 4),
    "and blanks": ("x" + " " * 200 + "and" + " " * 200) * (CHARS // 404),
    "commas and": ", and" * (CHARS // 5),
    "open fence": "run ```" + " " * CHARS + "x",
    "open word": "run ```" + "a" * CHARS,
    "open fences": "run\n" + "~~~ a\n" * (CHARS // 6),
    "open lines": "run\n" + "``` a\nx" * (CHARS // 7),
    "false ends": "run ```\n" + "x```y\n" * (CHARS // 6),
    "false ends on one line": "run ```\n" + "x```y" * (CHARS // 5),
    "backticks": "run " + "`" * CHARS,
    "backslashes": "run ```" + "\\" * CHARS + "```",
    "long name": "run `" + "a" * CHARS + "`",
    "open calls": "run `" + "a(" * (CHARS // 2) + "`",
    "braces": "{" * CHARS,
    "objects": '{"a":' * (CHARS // 5),
    "digits": "1" * CHARS,
    "thousands": "123," * (CHARS // 4) + "x",
    "sum": "1+" * (CHARS // 2),
    "brackets": "(" * CHARS,
    "places": "in A" * (CHARS // 4),
    "zones": "Aa/" * (CHARS // 3),
    "days": "monday " * (CHARS // 7),
    "words": "twenty " * (CHARS // 7),
}
READERS: dict[str, Callable[[str], object]] = {
    "clauses": lambda text: split_clauses(without_code(text)),
    "arguments": json_object_in,
    **{
        tool: lambda text, tool=tool: known_arguments(tool, text, SETTING)
        for tool in (CALCULATOR, EXECUTE_CODE, CALENDAR, TIME, KNOWLEDGE)
    },
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_reading_takes_time_in_proportion(text: str) -> None:
    for name, read in READERS.items():
        started = time.perf_counter()
        read(text)
        assert time.perf_counter() - started < MOST_S, name


@pytest.mark.parametrize("last", ["0", "15f8f"])
def test_arguments_with_a_key_twice_are_refused_in_proportion(last: str) -> None:
    keys = ",".join(f'"{number:x}":0' for number in range(90_000))
    started = time.perf_counter()
    with pytest.raises(ToolFailure):
        parse_arguments(f'{{{keys},"{last}":0}}')
    assert time.perf_counter() - started < MOST_S


def test_text_of_a_model_still_gives_its_arguments() -> None:
    for text in ('```json\n{"a": 1}\n```', '``` {"a": 1}```', 'So:\n```\n\n  {"a": 1}\n```\nDone', '{"a": 1}'):
        assert json_object_in(text) == '{"a":1}'


@pytest.mark.parametrize(
    ("text", "clauses"),
    [
        ("What is 2+2 and what time is it?", ["What is 2+2", "what time is it?"]),
        ("What is 2+2, and what time is it?", ["What is 2+2", "what time is it?"]),
        ("What is 2+2 , and  what time is it?", ["What is 2+2", "what time is it?"]),
        ("What is 2+2   and\n what time is it?", ["What is 2+2", "what time is it?"]),
        ("Salt and pepper", ["Salt and pepper"]),
    ],
)
def test_clauses_still_come_apart(text: str, clauses: list[str]) -> None:
    assert split_clauses(text) == clauses
