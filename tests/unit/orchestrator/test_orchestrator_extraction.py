"""Arguments taken from questions by rule."""

from __future__ import annotations

import ast
import operator
import time
from datetime import date
from zoneinfo import available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.extract_algebra import extract_algebra
from orchestrator.domain.extract_arithmetic import Arithmetic, extract_arithmetic
from orchestrator.domain.extract_code import (
    FoundCode,
    extract_code,
    forbids_running,
    other_language_wanted,
    without_code,
)
from orchestrator.domain.extract_when import extract_when
from orchestrator.domain.extract_zone import FoundZones, extract_zones
from orchestrator.domain.number_words import digits_for_words
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
    extract_when(text, TODAY)
    found_zones = extract_zones(text, ZONES)
    assert set(found_zones.zones) <= {*ZONES, "UTC"}
    forbids_running(text)
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
    ("question", "code"),
    [
        # As a person types it in a shell: the fence behind the words.
        ("Run this: ```python\nprint(1+1)\n```", "print(1+1)"),
        ("Run this: ```\nprint(1+1)\n``` please", "print(1+1)"),
        ("Run this: ```python\nprint(1+1)\n```, thanks", "print(1+1)"),
        # As a shell hands it over in single quotes.
        (r"Run this: ```python\nprint(1+1)\n```", "print(1+1)"),
        (r"run ```python\nfor i in (1, 2):\n    print('a\nb')\n```", "for i in (1, 2):\n    print('a\\nb')"),
        # Line ends of Windows and of old Macs.
        ("Run this:\r\n```python\r\nx = 1\r\nprint(x)\r\n```\r\n", "x = 1\nprint(x)"),
        ("Run this:\r```python\rx = 1\rprint(x)\r```", "x = 1\nprint(x)"),
        # In a list: the code loses the fence's indentation and nothing more.
        ("run\n- this:\n    ```python\n    if 1:\n        print(1)\n    ```\n", "if 1:\n    print(1)"),
        ("run\n  ```\nprint(1)\n ```", "print(1)"),
        # Closed on the last line of code.
        ("run ```python\nx = 1\nprint(x)```", "x = 1\nprint(x)"),
        ("run ```python\nx = 1\nprint(x)``` \nplease", "x = 1\nprint(x)"),
        # Code on the line of the opening fence.
        ("run ```x = 1\nprint(x)```", "x = 1\nprint(x)"),
        ("run ```python x = 1\nprint(x)\n```", "x = 1\nprint(x)"),
        # Not closed at all.
        ("run ```python\nprint(1)", "print(1)"),
        # Several blocks, each in its own way; what is no Python is left out.
        ("run ```py\na = 1```\nand then\n```\nprint(a)\n```", "a = 1\nprint(a)"),
        ("run `````python\nprint('```')\n`````", "print('```')"),
        ("run\n```bash\nls\n```\nno:\n```python3\nprint(3)\n```", "print(3)"),
        ("run\n```python\nprint('```')\n```", "print('```')"),
        ('run\n```python title="a.py"\nprint(1)\n```', "print(1)"),
        # Without any mark.
        ("print(1)", "print(1)"),
        ("`print(1)`", "print(1)"),
        ("run print(sum(range(10)))", "print(sum(range(10)))"),
        ("Can you please run this python code: import math; print(math.pi)", "import math; print(math.pi)"),
        ("execute the following program:\nfor i in range(3):\n    print(i)", "for i in range(3):\n    print(i)"),
    ],
)
def test_code_is_run_exactly_as_it_was_typed(question, code) -> None:
    assert extract_code(question) == FoundCode(code, wanted=True)
    assert "print(" not in without_code(question) or question.startswith(("print", "run print", "Can you", "execute"))


@pytest.mark.parametrize(
    "question",
    [
        "run away",
        "run my import business",
        "run print (the document) now",
        "``````",
        "run\n````md\n```py\nx\n```\n````",
    ],
)
def test_what_is_no_python_is_no_code(question) -> None:
    assert extract_code(question) is None


@pytest.mark.parametrize(
    ("question", "language"),
    [
        ("Run this:\n```bash\nls\n```", "bash"),
        ("run\n```bash\nls\n```\n```python\nprint(1)\n```", ""),
        ("explain this:\n```bash\nls\n```", ""),
        ("run this", ""),
    ],
)
def test_a_program_in_another_language_is_recognised(question, language) -> None:
    assert other_language_wanted(question) == language


@pytest.mark.parametrize(
    ("question", "forbidden"),
    [
        (f"Never run this!\n{FENCED}", True),
        (f"explain it\n{FENCED}", True),
        (f"what is it?\n{FENCED}", False),
        ('run ```\nprint("don\'t run")\n```', False),
    ],
)
def test_only_the_words_around_code_forbid_it(question, forbidden) -> None:
    assert forbids_running(question) is forbidden


@pytest.mark.parametrize(
    "text",
    ["```" * 300_000, "``` x\n" * 150_000, "```\n" + "x```y" * 200_000, "```\n" + " " * 999_999 + "```", "`" * 999_999],
    ids=["fences", "openings", "inner", "blanks", "run"],
)
def test_a_megabyte_of_fences_is_read_in_time(text) -> None:
    began_s = time.perf_counter()
    extract_code(text)
    without_code(text)
    assert time.perf_counter() - began_s < 5


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("twelve times twelve", "12 times 12"),
        ("Two hundred and five", "205"),
        ("five and six", "5 and 6"),
        ("twenty-one", "21"),
        ("twenty and one", "20 and 1"),
        ("five six", "5 6"),
        ("one hundred twenty three thousand four hundred and fifty-six", "123456"),
        ("two hundred thousand", "200000"),
        ("1.5 million", "1500000"),
        ("nobody is someone", "nobody is someone"),
        ("zero", "0"),
    ],
)
def test_numbers_in_words_become_digits(text, digits) -> None:
    assert digits_for_words(text) == digits


@given(st.integers(0, 999_999_999))
def test_any_number_in_words_is_read(number) -> None:
    assert digits_for_words(in_words(number)) == str(number)


def in_words(number: int) -> str:
    """Write a number below a billion in words, so that the reader is checked against a writer."""
    small = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
    small = [*small.split(), "seventeen", "eighteen", "nineteen"]
    tens = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
    for scale, word in ((1_000_000, "million"), (1000, "thousand"), (100, "hundred")):
        if number >= scale:
            rest = number % scale
            joint = " and " if scale == 100 else " "
            return f"{in_words(number // scale)} {word}" + (joint + in_words(rest) if rest else "")
    if number < 20:
        return small[number]
    return tens[number // 10 - 2] + (f"-{small[number % 10]}" if number % 10 else "")


@pytest.mark.parametrize(
    ("question", "expression"),
    [
        ("what's twelve times twelve", "12*12"),
        ("seven plus five", "7 + 5"),
        ("20 percent off 80 dollars", "80 - 20% of 80"),
        ("how much is an 18% tip on $45.50?", "18% of 45.50"),
        ("a tip of 20% on a bill of $45.50", "20% of 45.50"),
        ("average of 4, 8 and 15", "(4 + 8 + 15)/3"),
        ("what is the sum of 1, 2, 3 and 4?", "1 + 2 + 3 + 4"),
        ("the product of 3, 4 and 5", "3*4*5"),
        ("If a shirt costs 40 and is 25% off, what do I pay?", "40 - 25% of 40"),
        ("If I split a bill of 86.40 between 4 people, how much does each pay?", "86.40/4"),
        ("split 90 dollars between 6 friends, how much each?", "90/6"),
        ("what percent of 80 is 20?", "20/80*100"),
        ("what percentage is 20 of 80?", "20/80*100"),
        ("increase 50 by 10%", "50 + 10% of 50"),
        ("reduce 200 by 15 percent", "200 - 15% of 200"),
        ("half of 36", "1/2*36"),
        ("half of half of 100", "1/2*1/2*100"),
        ("a third of 27", "1/3*27"),
        ("half of the people", None),
        ("\u221a16 + 2", "sqrt(16) + 2"),
        ("Was ist 12 mal 12?", "12*12"),
        ("\u00bfcu\u00e1nto es 12 por 12?", "12*12"),
        ("one of two people", None),
        ("the two to three ratio", None),
        ("twenty questions", None),
    ],
)
def test_arithmetic_in_words_is_found(question, expression) -> None:
    found = extract_arithmetic(question)
    assert (found.expression if found else None) == expression


@pytest.mark.parametrize(
    ("question", "when"),
    [
        ("what is on today?", {"day": "today"}),
        ("plans for tonight", {"day": "today"}),
        ("and tomorrow morning?", {"day": "tomorrow"}),
        ("the day after tomorrow", {"day": "2026-11-22"}),
        ("what did I do yesterday?", {"day": "yesterday"}),
        ("my week", {"day": "this_week"}),
        ("next week please", {"day": "next_week"}),
        ("anything on the weekend?", {"day": "this_weekend"}),
        ("am I free on Friday?", {"day": "friday"}),
        ("what happens on Mondays", {"day": "monday"}),
        ("next Friday", {"day": "2026-11-27"}),
        ("next Monday", {"day": "monday"}),
        ("last Monday", {"day": "2026-11-16"}),
        ("last Friday", {"day": "2026-11-13"}),
        ("on 2026-12-24?", {"day": "2026-12-24"}),
        ("on 2026-13-45?", {}),
        ("on the 24th of December", {"day": "2026-12-24"}),
        ("Dec 24", {"day": "2026-12-24"}),
        ("on March 3rd, 2027", {"day": "2027-03-03"}),
        ("on March 3", {"day": "2027-03-03"}),
        ("on 31 November", {}),
        ("the 5th", {"day": "2026-12-05"}),
        ("the 20th", {"day": "2026-11-20"}),
        ("in three days", {"day": "2026-11-23"}),
        ("in a week", {"day": "2026-11-27"}),
        ("in two weeks", {"day": "2026-12-04"}),
        ("the next 3 days", {"start": "2026-11-20", "end": "2026-11-22"}),
        ("last week", {"start": "2026-11-09", "end": "2026-11-15"}),
        ("this month", {"start": "2026-11-20", "end": "2026-11-30"}),
        ("next month", {"start": "2026-12-01", "end": "2026-12-31"}),
        ("when is my dentist appointment?", {}),
        ("may I see my calendar?", {}),
        ("todayish", {}),
    ],
)
def test_days_are_found(question, when) -> None:
    assert extract_when(question, TODAY) == when


@pytest.mark.parametrize(
    ("question", "zones"),
    [
        ("What time is it in Tokyo?", ["Asia/Tokyo"]),
        ("what time is it in tokyo", ["Asia/Tokyo"]),
        ("current time in S\u00e3o Paulo", ["America/Sao_Paulo"]),
        ("time in Berlin and in New York", ["Europe/Berlin", "America/New_York"]),
        ("time in berlin, tokyo and new york", ["Europe/Berlin", "Asia/Tokyo", "America/New_York"]),
        ("time in Kyoto or Osaka", ["Asia/Tokyo"]),
        ("time in New York City right now", ["America/New_York"]),
        ("what's the time in Los Angeles?", ["America/Los_Angeles"]),
        ("tokyo time", ["Asia/Tokyo"]),
        ("what's London time now?", ["Europe/London"]),
        ("What time is it in St. Petersburg?", ["Europe/Moscow"]),
        ("the time in Germany", ["Europe/Berlin"]),
        ("time for Europe/Berlin", ["Europe/Berlin"]),
        ("what is the time in UTC?", ["UTC"]),
        ("time PST", ["America/Los_Angeles"]),
        ("In Paris, what time is it?", ["Europe/Paris"]),
        ("Wie sp\u00e4t ist es in Berlin?", ["Europe/Berlin"]),
        ("what time is it?", []),
        ("what time is it in the morning?", []),
        ("what is the date in two weeks?", []),
    ],
)
def test_zones_are_found(question, zones) -> None:
    assert extract_zones(question, ZONES) == FoundZones(tuple(zones))


@pytest.mark.parametrize(
    ("question", "place"),
    [
        ("time in Nowhere Town", "Nowhere Town"),
        ("what time is it in springfield?", "springfield"),
        ("what day is it in Australia right now?", "Australia"),
        ("Europe/Atlantis time", "Europe/Atlantis"),
    ],
)
def test_a_place_that_is_not_known_is_named(question, place) -> None:
    assert extract_zones(question, ZONES) == FoundZones(unknown=place)


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
