"""What commands print: tables and lines for people, JSON for programs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from rich.console import Console
from rich.text import Text

from mesh.cli.printable import json_line, printable
from mesh.cli.table_layout import lay_out

_STATE_STYLES = {
    "ready": "green",
    "available": "green",
    "completed": "green",
    "enabled": "green",
    "ok": "green",
    "starting": "yellow",
    "pending": "yellow",
    "running": "yellow",
    "backoff": "yellow",
    "warn": "yellow",
    "unhealthy": "red",
    "failing": "red",
    "failed": "red",
    "fail": "red",
    "damaged": "red",
    "disabled": "dim",
    "cancelled": "dim",
    "stopped": "dim",
}


class Output:
    """Prints results on standard output and everything else on standard error.

    Args:
        as_json: whether results are JSON.
    """

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        # As wide as the terminal or COLUMNS, also into a pipe: a pager is as wide. 80 without both; programs take JSON.
        self.out = Console(highlight=False)
        self.err = Console(stderr=True, highlight=False)

    def json_value(self, value: object) -> None:
        """Print one JSON value on one line, at once."""
        sys.stdout.write(json_line(value) + "\n")
        sys.stdout.flush()

    def message(self, message: Message) -> None:
        """Print one protobuf message as JSON, in the names of the contract."""
        self.json_value(as_dict(message))

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[object]], empty: str) -> None:
        """Print a table, or the sentence `empty` when there are no rows. `table_layout` says how it fits."""
        made = [[cell(value) for value in row] for row in rows]
        if not made:
            self.note(empty)
        for line in lay_out(columns, made, self.out) if made else ():
            self.out.print(line, soft_wrap=True)

    def line(self, text: str, style: str = "") -> None:
        """Print one line of a result."""
        self.out.print(Text(printable(text), style=style), soft_wrap=True)

    def prose(self, text: str, style: str = "") -> None:
        """Print sentences of a result, folded between words where the output is narrow."""
        for line in Text(printable(text), style=style).wrap(self.out, self.out.width):
            line.rstrip()
            self.out.print(line, soft_wrap=True)

    def note(self, text: str, style: str = "dim") -> None:
        """Print one line that is not a result."""
        self.aside(Text(printable(text), style=style))

    @contextmanager
    def progress(self, begun: str) -> Generator[Callable[[str], None]]:
        """Tell on standard error how far something is, while the block lasts: the yielded function takes each state.

        On a terminal one line changes; elsewhere nothing is told.
        """
        if not self.err.is_terminal:
            yield lambda _: None
            return
        with self.err.status(begun) as status:
            yield status.update

    def aside(self, text: Text) -> None:
        """Print text that is not a result: folded between words on a terminal, not folded elsewhere."""
        self.err.print(text, soft_wrap=not self.err.is_terminal)


def cell(value: object) -> Text:
    """Return a table's cell; the words for states are coloured."""
    text = printable("" if value is None else str(value))
    return Text(text, style=_STATE_STYLES.get(text, ""))


def as_dict(message: Message) -> dict[str, Any]:
    """Return a message as JSON in the names of the contract, with fields that have their default value."""
    return MessageToDict(message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
