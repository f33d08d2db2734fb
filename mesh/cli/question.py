"""The question of `nexus ask`: from the command line, or from standard input."""

from __future__ import annotations

import sys

from shared.errors import InvalidInput

LONGEST_BYTES = 1024 * 1024


def read_question(argument: str) -> str:
    """Return the question; `-` reads it from standard input.

    Raises:
        InvalidInput: reason QUESTION_EMPTY, QUESTION_TOO_LONG (over 1 MiB) or QUESTION_NOT_UTF8, with the byte.
    """
    if argument == "-":
        # One byte more than allowed tells that it is too long, however much there is.
        return checked(sys.stdin.buffer.read(LONGEST_BYTES + 1))
    # Bytes of the command line that are no text arrive as lone surrogates.
    return checked(argument.encode("utf-8", "surrogateescape"))


def checked(raw: bytes) -> str:
    """Return the question that these bytes hold. Raises as `read_question` does."""
    if len(raw) > LONGEST_BYTES:
        raise InvalidInput("QUESTION_TOO_LONG", "The question is longer than 1 MiB. Shorten it.")
    try:
        question = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidInput(
            "QUESTION_NOT_UTF8",
            f"The question is not UTF-8: byte 0x{raw[error.start]:02x} at offset {error.start}. "
            "Convert it first, for example with `iconv -t UTF-8`.",
        ) from error
    if not question.strip():
        raise InvalidInput("QUESTION_EMPTY", "The question is empty.")
    return question
