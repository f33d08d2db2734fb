"""Tables can be read at any width: nothing beyond the edge, no word broken that has room, nothing lost."""

from __future__ import annotations

import io

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.text import Text

from mesh.cli.table_layout import lay_out

words = st.text("abcdefgh-/0123456789.", min_size=1, max_size=30)
cells = st.lists(words, max_size=8).map(" ".join)


def laid_out(columns: list[str], rows: list[list[str]], width: int) -> list[str]:
    console = Console(width=width, file=io.StringIO())
    return [line.plain for line in lay_out(columns, [[Text(each) for each in row] for row in rows], console)]


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[str], list[list[str]]]:
    columns = draw(st.lists(st.text("abcdef", min_size=1, max_size=8), min_size=1, max_size=8))
    row = st.lists(cells, min_size=len(columns), max_size=len(columns))
    return columns, draw(st.lists(row, min_size=1, max_size=4))


@given(tables(), st.integers(45, 160))
def test_every_word_is_there_whole_and_within_the_width(table: tuple[list[str], list[list[str]]], width: int) -> None:
    columns, rows = table
    lines = laid_out(columns, rows, width)
    assert max(map(len, lines)) <= width
    said = sorted(" ".join(lines).split())
    for word in " ".join(cell for row in rows for cell in row).split():
        assert word in said


@given(tables())
def test_what_fits_has_a_line_a_row(table: tuple[list[str], list[list[str]]]) -> None:
    columns, rows = table
    assert len(laid_out(columns, rows, 4000)) == 1 + len(rows)


def test_columns_that_fit_are_aligned() -> None:
    assert laid_out(["name", "state"], [["a", "ready"], ["longer", "off"]], 80) == [
        "name    state",
        "a       ready",
        "longer  off",
    ]


def test_a_column_of_sentences_is_folded_between_words() -> None:
    lines = laid_out(["model", "why"], [["one/m", "it is not cleared for data of this class at all"]], 40)
    assert lines == [
        "model  why",
        "one/m  it is not cleared for data of",
        "       this class at all",
    ]


def test_what_has_no_place_follows_below_its_row_with_its_name() -> None:
    row = ["01a1f780-2eee-715e-aab2-4d8a2cb016e7", "2026-11-20", "openai/gpt-5.6-luna", "", "10 + 20"]
    lines = laid_out(["decision", "made", "chosen", "outcome", "tokens"], [row, row], 60)
    assert lines[0].split() == ["decision", "made"]
    assert lines[1:3] == [f"{row[0]}  2026-11-20", f"    chosen: {row[2]} \u00b7 tokens: 10 + 20"]
    assert lines[3:] == lines[1:3]


def test_a_word_that_is_longer_than_the_width_is_broken_and_not_lost() -> None:
    lines = laid_out(["a", "b"], [["x" * 50, "y" * 25]], 20)
    assert max(map(len, lines)) <= 20
    assert ("".join(lines).count("x"), "".join(lines).count("y")) == (50, 25)


def test_lines_without_names_have_no_header() -> None:
    assert laid_out(["", ""], [["tier", "deep"]], 80) == ["tier  deep"]
