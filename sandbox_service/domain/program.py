"""A program to run."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

MAX_CODE_BYTES = 1 << 20
MAX_STDIN_BYTES = 1 << 20


class Language(Enum):
    """The language of a program."""

    PYTHON = "python"
    SHELL = "shell"


@dataclass(frozen=True, slots=True)
class Program:
    """Untrusted code.

    Attributes:
        language: what it is written in.
        code: its text, 1 byte to 1 MiB of UTF-8.
        stdin: what it reads on standard input, at most 1 MiB.
    """

    language: Language
    code: str
    stdin: bytes = b""
