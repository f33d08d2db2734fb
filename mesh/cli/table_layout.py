"""Lays tables out so that they can be read at any width: between words alone, and never beyond the right edge.

What fits stands in columns. Else columns of several words are folded between words. Where that is not enough, the first
columns stay, and the others follow below each row with their names. A word is broken only where it is longer than the
whole width.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

_GAP = 2
_INDENT = 4
_BETWEEN = " \u00b7 "
_LEGIBLE = 24
"""Columns are not folded to less than this: a column of single words takes longer to read than a second line."""

Cells = Sequence[Text]


def lay_out(columns: Sequence[str], rows: Sequence[Cells], console: Console) -> list[Text]:
    """Return the lines of a table on `console`: a bold header, unless no column has a name, and the rows."""
    room = console.width
    shown = len(columns)
    widths = _folded(columns, rows, room)
    if widths is None:
        shown = _leading(columns, rows, room)
        widths = _folded(columns[:shown], rows, room) or [room]
    lines: list[Text] = []
    if any(columns[:shown]):
        lines += _line([Text(name, "bold") for name in columns[:shown]], widths, console)
    for row in rows:
        lines += _line(row[:shown], widths, console)
        lines += _below(columns[shown:], row[shown:], console)
    return lines


def _folded(columns: Sequence[str], rows: Sequence[Cells], room: int) -> list[int] | None:
    """Widths in cells with which a row takes at most `room`, the widest columns folded; None where that cannot be."""
    widths = [_widest(name, rows, place) for place, name in enumerate(columns)]
    least = [
        min(width, max(_LEGIBLE, _longest_word(name, rows, place)))
        for place, (name, width) in enumerate(zip(columns, widths, strict=True))
    ]
    for _ in range(sum(widths) + _GAP * (len(widths) - 1) - room):
        spare = [place for place, width in enumerate(widths) if width > least[place]]
        if not spare:
            return None
        widths[max(spare, key=widths.__getitem__)] -= 1
    return widths


def _leading(columns: Sequence[str], rows: Sequence[Cells], room: int) -> int:
    """How many of the first columns fit into `room` unfolded, at least one."""
    used = -_GAP
    for place, name in enumerate(columns):
        used += _GAP + _widest(name, rows, place)
        if used > room:
            return max(place, 1)
    return len(columns)


def _widest(name: str, rows: Sequence[Cells], place: int) -> int:
    return max(cell_len(line) for text in (name, *_plain(rows, place)) for line in text.split("\n"))


def _longest_word(name: str, rows: Sequence[Cells], place: int) -> int:
    return max((cell_len(word) for text in (name, *_plain(rows, place)) for word in text.split()), default=0)


def _plain(rows: Sequence[Cells], place: int) -> list[str]:
    return [row[place].plain for row in rows]


def _line(cells: Cells, widths: Sequence[int], console: Console) -> list[Text]:
    """One row: as many lines as its longest cell has."""
    folded = [each.wrap(console, max(width, 1), overflow="fold") for each, width in zip(cells, widths, strict=True)]
    lines: list[Text] = []
    for number in range(max(map(len, folded))):
        line = Text()
        for cell, width in zip(folded, widths, strict=True):
            part = cell[number].copy() if number < len(cell) else Text()
            part.rstrip()
            line.append_text(part)
            line.pad_right(width + _GAP - cell_len(part.plain))
        line.rstrip()
        lines.append(line)
    return lines


def _below(columns: Sequence[str], cells: Cells, console: Console) -> list[Text]:
    """The cells that have no place in the row, with their names; empty ones are left out."""
    room = max(console.width - _INDENT, 1)
    lines: list[Text] = []
    for name, cell in zip(columns, cells, strict=True):
        if not cell.plain.strip():
            continue
        part = Text.assemble((f"{name}: ", "dim"), cell) if name else cell
        joined = Text.assemble(lines[-1], (_BETWEEN, "dim"), part) if lines else part
        if lines and cell_len(joined.plain) <= room:
            lines[-1] = joined
        else:
            lines.append(part)
    return [Text.assemble(" " * _INDENT, each) for line in lines for each in line.wrap(console, room, overflow="fold")]
