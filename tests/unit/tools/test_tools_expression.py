"""Expressions as people write them, in plain notation."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tool_executor.domain.calculation import Calculation, CalculationError, sentence
from tool_executor.domain.expression_text import read_question


@pytest.mark.parametrize(
    ("asked", "python"),
    [
        ("23*17 + sqrt(144)", "23*17 + sqrt(144)"),
        ("What is 23*17 + sqrt(144)?", "23*17 + sqrt(144)"),
        ("please calculate 3 times 4 plus 2", "3*4 + 2"),
        ("2 \u00d7 3 ÷ 4 \u2212 1", "2*3/4 - 1"),
        ("15% of 80", "(15/100)*80"),
        ("20% off 50", "(1 - 20/100)*50"),
        ("15 percent of 80", "(15/100)*80"),
        ("17 % 5", "17 % 5"),
        ("17 mod 5", "17 % 5"),
        ("10% - 5", "(10/100) - 5"),
        ("1,234,567.5 * 2", "1234567.5*2"),
        ("max(1,200)", "max(1, 200)"),
        ("2x + 3(x+1)", "2*x + 3*(x + 1)"),
        ("(a)(b)", "(a)*(b)"),
        ("2 pi r", "2*pi*r"),
        ("x(x+1)", "x*(x + 1)"),
        ("5! + 3!!", "factorial(5) + factorial(factorial(3))"),
        ("(2+3)!", "factorial((2 + 3))"),
        ("sqrt(4)!", "factorial(sqrt(4))"),
        ("10 factorial", "factorial(10)"),
        ("√144 + √(2)", "sqrt(144) + sqrt(2)"),
        ("square root of 2025", "sqrt(2025)"),
        ("sin(30°)", "sin((30*pi/180))"),
        ("x² = 4", "x**2 == 4"),
        ("x^2 <= 4", "x**2 <= 4"),
        ("2 to the power of 64", "2**64"),
        ("$5.25 * 3", "5.25*3"),
        ("3 x 4", "3*4"),
        ("solve x + y = 3", "solve(x + y == 3)"),
        ("solve (x-1)(x-2) = 0", "solve((x - 1)*(x - 2) == 0)"),
        ("factor (x^2 - 1)", "factor(x**2 - 1)"),
        ("Integrate x^2 from 0 to 3", "integrate(x**2, 0, 3)"),
        ("derivative of x^3", "diff(x**3)"),
    ],
)
def test_notations_of_people_become_plain(asked: str, python: str) -> None:
    assert read_question(asked).python == python


def test_the_words_name_the_variable() -> None:
    assert read_question("solve a*t = 3 for t").variable == "t"
    assert read_question("differentiate x^2 y with respect to y").variable == "y"
    assert read_question("solve x = 3").variable is None


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("", "no expression"),
        ("What is ?", "no expression"),
        ("12 34", "Between 12 and 34"),
        ("hello world", "'hello world'"),
        ("__import__('os')", "'_'"),
        ("(1).real", "'.'"),
        ("x; y", "';'"),
        ("lambda: 3", "':'"),
        ("(1 + 2", "never closed"),
        ("1 + 2)", "closes nothing"),
        ("[1, 2)", "closes nothing"),
        ("!3", "nothing that it can belong to"),
    ],
)
def test_what_is_no_expression_is_refused_in_words(asked: str, told: str) -> None:
    with pytest.raises(CalculationError) as caught:
        read_question(asked)
    assert caught.value.reason == "EXPRESSION_INVALID"
    assert told in caught.value.message


@pytest.mark.parametrize("asked", ["1" * 2001, "1+" * 700 + "1"])
def test_long_expressions_are_refused(asked: str) -> None:
    with pytest.raises(CalculationError) as caught:
        read_question(asked)
    assert caught.value.reason == "CALCULATION_TOO_LARGE"


@given(st.text(alphabet="0123456789.,+-*/^%!°√()[]=<> xyeπ", max_size=60))
def test_whatever_is_written_is_read_or_refused(asked: str) -> None:
    try:
        python = read_question(asked).python
    except CalculationError:
        return
    assert python.isascii()
    assert "\n" not in python


@given(st.integers(0, 10**9), st.integers(1, 10**6), st.sampled_from("+-*/"))
def test_plain_arithmetic_keeps_its_meaning(left: int, right: int, operator: str) -> None:
    tree = ast.parse(read_question(f"what is {left:,} {operator} {right}?").python, mode="eval").body
    assert isinstance(tree, ast.BinOp)
    assert ast.literal_eval(tree.left) == left
    assert ast.literal_eval(tree.right) == right


@pytest.mark.parametrize(
    ("calculation", "told"),
    [
        (
            Calculation("23*17 + sqrt(144)", "23*17 + sqrt(144)", "403", "403", decimal_exact=True),
            "23*17 + sqrt(144) = 403",
        ),
        (Calculation("0.1 + 0.2", "0.1 + 0.2", "3/10", "0.3", decimal_exact=True), "0.1 + 0.2 = 0.3"),
        (Calculation("2/6", "2/6", "1/3", "0.333", decimal_exact=False), "2/6 = 1/3 ≈ 0.333"),
        (Calculation("√2", "sqrt(2)", "sqrt(2)", "1.414", decimal_exact=False), "√2 ≈ 1.414"),
        (Calculation("x^2 = 4", "x**2 == 4", "x = -2 or x = 2", None, decimal_exact=False), "x^2 = 4: x = -2 or x = 2"),
        (Calculation("x + x", "x + x", "2*x", None, decimal_exact=False), "x + x = 2*x"),
        (
            Calculation("n", "n", "1" * 300, "1.1e+299", decimal_exact=False),
            "n ≈ 1.1e+299 (the output has all 300 characters of the exact answer)",
        ),
    ],
)
def test_an_answer_is_told_in_one_line(calculation: Calculation, told: str) -> None:
    assert sentence(calculation) == told
