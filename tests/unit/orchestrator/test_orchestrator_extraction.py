"""Arguments taken from questions by rule."""

from __future__ import annotations

import ast
import operator
from datetime import date
from zoneinfo import available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.extract_algebra import extract_algebra
from orchestrator.domain.extract_arithmetic import Arithmetic, extract_arithmetic
from orchestrator.domain.extract_code import FoundCode, extract_code, without_code
from orchestrator.domain.extract_when import extract_day
from orchestrator.domain.extract_zone import extract_zone
from orchestrator.domain.split_clauses import split_clauses

ZONES = available_timezones()
TODAY = date(2026, 11, 20)


@pytest.mark.parametrize(
    ("question", "expression"),
    [
        ("What is 23*17 + sqrt(144)?", "23*17 + sqrt(144)"),
        ("15% of 80", "15% of 80"),
        ("what is 12.5 percent of 1,234.50?", "12.5% of 1234.50"),
        ("square root of 2 times 10", "sqrt(2)*10"),
        ("What is 5 plus 7?", "5 + 7"),
        ("add 3 and 9 together", "3 + 9"),
        ("subtract 3 from 10", "10 - 3"),
        ("what's 12 squared", "12^2"),
        ("2 to the power of 64", "2^64"),
        ("what is the sum of 14 and 28?", "14 + 28"),
        ("What is (3.5 + 4.25) / 5?", "(3.5 + 4.25)/5"),
        ("what is -5 + 3?", "-5 + 3"),
        ("3 x 4", "3*4"),
        ("7 \u00d7 6 \u2212 2", "7*6 - 2"),
        ("what is 7 factorial?", "7!"),
        ("please compute 2 ** 10 for me", "2^10"),
        ("Calculate sin(pi / 2)", "sin(pi/2)"),
        ("100 divided by 7", "100/7"),
        ("17 mod 5", "17 mod 5"),
        ("10 minus", None),
        ("see you on 2026-11-20", None),
        ("call 555-123-4567", None),
        ("What is 500-125?", "500 - 125"),
        ("we meet at 10:30 - 11:15", None),
        ("my address is 10.0.0.1", None),
        ("version 1.2.3 is out", None),
        ("we are open 24/7", None),
        ("c++ is nice", None),
        ("solve 3x + 5 = 20", None),
        ("I have 2 cats and 3 dogs", None),
        ("what is 5%?", None),
        ("", None),
        ("((((1", None),
        ("1" * 3000, None),
    ],
)
def test_arithmetic_is_found(question, expression) -> None:
    found = extract_arithmetic(question)
    assert (found.expression if found else None) == expression


@pytest.mark.parametrize(
    ("question", "alone"),
    [
        ("What is 2+2?", True),
        ("hey, can you tell me how much 2*3 is please", True),
        ("about 20-30 people came", False),
        ("add 1/2 cup of sugar", False),
        ("call 555-1234", False),
        ("who won 3-2 last night?", False),
        ("2+2 and then tell me a joke", False),
    ],
)
def test_only_arithmetic_that_stands_alone_decides_by_itself(question, alone) -> None:
    found = extract_arithmetic(question)
    assert found is not None
    assert found.alone is alone


NUMBERS = st.integers(0, 9999).map(str)
EXPRESSIONS = st.recursive(
    NUMBERS,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*"]), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        # Unspaced, a difference may look like a date or a telephone number, which are left alone.
        st.tuples(NUMBERS, st.sampled_from(["+", " - ", "*"]), inner).map(lambda t: f"{t[0]}{t[1]}{t[2]}"),
    ),
    max_leaves=12,
)
OPERATORS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.USub: operator.neg}


def value_of(expression: str) -> int:
    """Compute with Python's own grammar, so that the extractor is checked against another reading."""

    def value(node: ast.AST) -> int:
        match node:
            case ast.Expression(body=body):
                return value(body)
            case ast.Constant(value=number):
                return number
            case ast.BinOp(left=left, op=op, right=right):
                return OPERATORS[type(op)](value(left), value(right))
            case ast.UnaryOp(op=op, operand=operand):
                return OPERATORS[type(op)](value(operand))
        raise AssertionError(node)

    return value(ast.parse(expression.lstrip("0 ") or "0", mode="eval"))


@given(EXPRESSIONS, EXPRESSIONS)
def test_what_is_found_has_the_value_of_what_was_written(left, right) -> None:
    written = f"({left}) + ({right})"
    found = extract_arithmetic(f"What is {written}?")
    assert found is not None
    assert found.alone
    plain = found.expression
    assert value_of(_no_leading_zeros(plain)) == value_of(_no_leading_zeros(written))


def _no_leading_zeros(text: str) -> str:
    return "".join(_token(part) for part in _parts(text))


def _parts(text: str) -> list[str]:
    parts: list[str] = []
    for character in text:
        if character.isdigit() and parts and parts[-1].isdigit():
            parts[-1] += character
        else:
            parts.append(character)
    return parts


def _token(part: str) -> str:
    return str(int(part)) if part.isdigit() else part


@given(st.text(max_size=300))
def test_no_text_breaks_the_extractors(text) -> None:
    found = extract_arithmetic(text)
    assert found is None or isinstance(found, Arithmetic)
    assert extract_algebra(text) is None or extract_algebra(text) in text
    code = extract_code(text)
    assert code is None or code.code.strip()
    extract_day(text, TODAY)
    zone = extract_zone(text, ZONES)
    assert zone is None or zone in ZONES or zone == "UTC"
    assert split_clauses(text)


@given(st.lists(st.sampled_from(list("()+-*/^!%1 ")), max_size=1500).map("".join))
def test_long_nonsense_ends_soon(text) -> None:
    extract_arithmetic(text)


@pytest.mark.parametrize(
    ("question", "expression"),
    [
        ("Solve x^2 - 5x + 6 = 0", "Solve x^2 - 5x + 6 = 0"),
        ("can you solve 3x + 5 = 20?", "solve 3x + 5 = 20"),
        ("What is the derivative of sin(x) * x?", "the derivative of sin(x) * x"),
        ("Integrate x^2 from 0 to 3", "Integrate x^2 from 0 to 3"),
        ("expand (x + 1)^3", "expand (x + 1)^3"),
        ("solve my problem", None),
        ("how do I solve 2 problems at once", None),
        ("factor in the costs", None),
        ("what is an integral?", None),
    ],
)
def test_algebra_is_found(question, expression) -> None:
    assert extract_algebra(question) == expression


FENCED = "```python\nfor i in range(2):\n    print(i)\n```"
CODE = "for i in range(2):\n    print(i)"


@pytest.mark.parametrize(
    ("question", "found"),
    [
        (FENCED, FoundCode(CODE, wanted=True)),
        (f"Run this please:\n{FENCED}", FoundCode(CODE, wanted=True)),
        (f"What does it print?\n{FENCED}\nThanks", FoundCode(CODE, wanted=True)),
        (f"Please explain what this prints:\n{FENCED}", FoundCode(CODE, wanted=False)),
        (f"Don't run this, just look:\n{FENCED}", FoundCode(CODE, wanted=False)),
        (f"I wrote this:\n{FENCED}", FoundCode(CODE, wanted=False)),
        ("run it:\n~~~\nprint(1)\n~~~", FoundCode("print(1)", wanted=True)),
        ("run\n```py\na = 1\n```\nand\n```\nprint(a)\n```", FoundCode("a = 1\nprint(a)", wanted=True)),
        ("execute `print('hi')`", FoundCode("print('hi')", wanted=True)),
        ("run ```print('hi')``` now", FoundCode("print('hi')", wanted=True)),
        ("run ```python print('hi')``` now", FoundCode("print('hi')", wanted=True)),
        ("```bash\nrm -rf /\n```\nrun it", None),
        ("what is `ls`?", None),
        ("```python\n\n```", None),
        ("no code at all", None),
    ],
)
def test_code_is_found(question, found) -> None:
    assert extract_code(question) == found


def test_the_words_around_code_are_kept() -> None:
    assert without_code(f"Run this\n{FENCED}\nand what time is it?").split() == [
        "Run",
        "this",
        "and",
        "what",
        "time",
        "is",
        "it?",
    ]


@given(st.text(alphabet="abc =()\n\t'\"#\u00e9", min_size=1, max_size=200).filter(lambda code: code.strip()))
def test_fenced_code_comes_out_as_it_was(code) -> None:
    found = extract_code(f"run this\n```python\n{code}\n```\n")
    assert found is not None
    assert found.code == code.strip("\n")


@pytest.mark.parametrize(
    ("question", "day"),
    [
        ("what is on today?", "today"),
        ("plans for tonight", "today"),
        ("and tomorrow morning?", "tomorrow"),
        ("the day after tomorrow", "2026-11-22"),
        ("what did I do yesterday?", "yesterday"),
        ("my week", "this_week"),
        ("next week please", "next_week"),
        ("anything on the weekend?", "this_weekend"),
        ("am I free on Friday?", "friday"),
        ("what happens on Mondays", "monday"),
        ("on 2026-12-24?", "2026-12-24"),
        ("on 2026-13-45?", None),
        ("when is my dentist appointment?", None),
        ("todayish", None),
    ],
)
def test_days_are_found(question, day) -> None:
    assert extract_day(question, TODAY) == day


@pytest.mark.parametrize(
    ("question", "zone"),
    [
        ("What time is it in Tokyo?", "Asia/Tokyo"),
        ("time in New York City right now", "America/New_York"),
        ("what's the time in Los Angeles?", "America/Los_Angeles"),
        ("the time in Germany", "Europe/Berlin"),
        ("time for Europe/Berlin", "Europe/Berlin"),
        ("what is the time in UTC?", "UTC"),
        ("In Paris, what time is it?", "Europe/Paris"),
        ("what time is it?", None),
        ("time in Nowhere Town", None),
        ("Europe/Atlantis time", None),
    ],
)
def test_zones_are_found(question, zone) -> None:
    assert extract_zone(question, ZONES) == zone


@pytest.mark.parametrize(
    ("text", "clauses"),
    [
        ("What is 2+2 and what time is it?", ["What is 2+2", "what time is it?"]),
        ("Hello! What is 2+2?", ["Hello!", "What is 2+2?"]),
        ("I have 2 cats and 3 dogs", ["I have 2 cats and 3 dogs"]),
        ("If it costs 40, what do I pay?", ["If it costs 40, what do I pay?"]),
        ("a? b? c? d? e? f? g?", ["a? b? c? d? e? f? g?"]),
    ],
)
def test_questions_come_apart(text, clauses) -> None:
    assert split_clauses(text) == clauses
