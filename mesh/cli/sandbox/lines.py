"""What is typed into the shell, cell by cell: from a terminal line by line, from a pipe as a whole."""

from __future__ import annotations

import ast
import codeop
import importlib
import re
import sys
from collections.abc import Sequence
from typing import Protocol

from mesh.cli.sandbox.inputs import bytes_of, text_of

ORDERS = ("%help", "%put", "%get", "%files", "%save")
_ORDER = re.compile(rf"(?:{'|'.join(ORDERS)})(?=\s|$)")
_STDIN = "-"


class Cells(Protocol):
    """Where cells come from."""

    is_terminal: bool

    def next(self) -> str | None:
        """Return the next cell or order of the shell; None at the end."""
        ...


def is_order(cell: str) -> bool:
    """Return whether it is meant for the shell itself and not for the session."""
    return _ORDER.match(cell) is not None


def pieces_of(text: str) -> list[str]:
    """Return the cells of a script: all that stands between two orders is one, and each order is."""
    pieces: list[str] = [""]
    for line in text.splitlines(keepends=True):
        if is_order(line):
            pieces += [line.strip(), ""]
        else:
            pieces[-1] += line
    return [piece for piece in pieces if piece.strip()]


class PipedCells:
    """Implements Cells over all of standard input, which ends before the first cell runs.

    Raises:
        InvalidInput: FILE_TOO_LARGE (over 1 MiB), PROGRAM_EMPTY or PROGRAM_NOT_UTF8.
    """

    is_terminal = False

    def __init__(self) -> None:
        self._left: Sequence[str] = pieces_of(text_of(bytes_of(_STDIN)))

    def next(self) -> str | None:
        """See Cells."""
        if not self._left:
            return None
        cell, self._left = self._left[0], self._left[1:]
        return cell


class TypedCells:
    """Implements Cells over a terminal. Ctrl-C drops what is typed, Ctrl-D ends.

    Args:
        is_python: whether Python's rules say when a cell is complete; else one line is, unless it ends in a backslash.
    """

    is_terminal = True

    def __init__(self, *, is_python: bool) -> None:
        self._is_python = is_python
        self._prompts = (">>> ", "... ") if is_python else ("$ ", "> ")
        _edit_lines()

    def next(self) -> str | None:
        """See Cells."""
        lines: list[str] = []
        while True:
            try:
                lines.append(input(self._prompts[bool(lines)]))
            except EOFError:
                sys.stdout.write("\n")
                return None
            except KeyboardInterrupt:
                sys.stdout.write("\n")
                lines.clear()
                continue
            cell = "\n".join(lines)
            if not cell.strip():
                lines.clear()
            elif is_order(cell) or self._is_complete(cell):
                return cell

    def _is_complete(self, cell: str) -> bool:
        return python_is_complete(cell) if self._is_python else not cell.endswith("\\")


def python_is_complete(cell: str) -> bool:
    """Return whether a cell can be run: nothing is open, and an empty line ends a block. Wrong code is complete."""
    parse = codeop.CommandCompiler()
    parse.compiler.flags |= ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    try:
        return parse(cell, symbol="single") is not None
    except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError):
        return True  # several statements at once among them


def _edit_lines() -> None:
    """Have `input` edit lines and remember them, where this Python can."""
    try:
        importlib.import_module("readline")  # that alone does it
    except ImportError:
        return
