"""Finds fenced blocks in a message, also as people type them: behind words on the same line, closed behind the code.

Where a block is well formed this is CommonMark (https://spec.commonmark.org/0.31.2/#fenced-code-blocks); what it adds
is an opening fence behind other words, a closing one at the end of a line of code, and blocks on one line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

MOST_FENCES = 200
_OPENING = re.compile(r"(?P<indent>(?:^[ \t]*)?)(?P<fence>`{3,}|(?<=\n)~{3,}|\A~{3,})", re.MULTILINE)
_LANGUAGE = re.compile(r"[ \t]*(?P<language>[\w+#.-]*)[ \t]*$")
_PYTHON_FIRST = re.compile(r"[ \t]*(?P<language>python3?|py)\b[ \t]*", re.IGNORECASE)
_ATTRIBUTES = re.compile(r"\{.*\}|(?:title|filename|name|linenums|hl_lines)=.*", re.IGNORECASE)
# Behind a closing fence comes the end of the line or of the sentence, never a word without a blank.
_BEHIND = re.compile(r"[\s.,;:!?)]")
_END_OF_LINE = re.compile(r"[ \t]*(?:\n|\Z)")
_REST_IS_BLANK = re.compile(r"[ \t\r\f\v]*$", re.MULTILINE)
_ESCAPES = {"\\n": "\n", "\\t": "\t"}


@dataclass(frozen=True, slots=True)
class FencedBlock:
    """A block: its language in lower case, empty when it names none, its code, and where it stands in the text."""

    language: str
    code: str
    start: int
    end: int


def fenced_blocks(text: str) -> list[FencedBlock]:
    """Return the blocks in order; a block that is never closed ends with the text. Lines end with LF in `text`."""
    return list(_blocks(text))


def _blocks(text: str) -> Iterator[FencedBlock]:
    at = 0
    for _ in range(MOST_FENCES):
        opening = _OPENING.search(text, at)
        if opening is None:
            return
        block = _block(text, opening)
        yield block
        at = block.end


def _block(text: str, opening: re.Match[str]) -> FencedBlock:
    fence, body = opening["fence"], opening.end()
    end_of_line = text.find("\n", body)
    end_of_line = len(text) if end_of_line == -1 else end_of_line
    same_line = text.find(fence, body, end_of_line)
    if same_line != -1:
        language, code = _language_and_rest(text[body:same_line])
        return FencedBlock(language, _lines_of(code).strip(), opening.start(), _behind_run(text, same_line, fence[0]))
    language, first_line = _language_and_rest(text[body:end_of_line])
    inside, end = _closed(text, end_of_line, fence)
    code = _outdented(inside, len(opening["indent"]))
    return FencedBlock(language, f"{first_line}\n{code}" if first_line else code, opening.start(), end)


def _language_and_rest(line: str) -> tuple[str, str]:
    """Part what stands behind the opening fence into the language and the code that begins there."""
    alone = _LANGUAGE.fullmatch(line)
    if alone:
        return alone["language"].lower(), ""
    first = _PYTHON_FIRST.match(line)
    if first is None:
        return "", line.strip()
    rest = line[first.end() :].rstrip()
    return first["language"].lower(), "" if _ATTRIBUTES.fullmatch(rest) else rest


def _closed(text: str, end_of_line: int, fence: str) -> tuple[str, int]:
    """Return the lines between the end of the opening line and the closing fence, and where that ends."""
    start = min(end_of_line + 1, len(text))
    at = text.find(fence, start)
    while at != -1:
        behind = _behind_run(text, at, fence[0])
        line_start = _start_of_blank_line(text, at)
        if _REST_IS_BLANK.match(text, behind) or (line_start is not None and _BEHIND.match(text, behind)):
            return text[start : at if line_start is None else line_start].removesuffix("\n"), behind
        at = text.find(fence, behind)
    return text[start:], len(text)


def _start_of_blank_line(text: str, at: int) -> int | None:
    """Return where the line of `at` begins when only blanks stand before it. Looks at no more than those blanks."""
    while at > 0 and text[at - 1] in " \t":
        at -= 1
    return at if at == 0 or text[at - 1] == "\n" else None


def _behind_run(text: str, at: int, character: str) -> int:
    while at < len(text) and text[at] == character:
        at += 1
    return at


def _outdented(code: str, most: int) -> str:
    """Take as many blanks from the start of each line as the opening fence had."""
    if not most:
        return code
    return "\n".join(line[min(most, len(line) - len(line.lstrip(" \t"))) :] for line in code.split("\n"))


def _lines_of(code: str) -> str:
    r"""Turn `\n` outside of quotes into the end of a line: so a shell hands over a program in single quotes.

    Nothing is lost: Python has no use for it there.
    """
    parts: list[str] = []
    quote = ""
    at = 0
    while at < len(code):
        if code[at] == "\\" and at + 1 < len(code):
            escape = code[at : at + 2]
            parts.append(escape if quote else _ESCAPES.get(escape, escape))
            at += 2
            continue
        if code[at] in "'\"":
            quote = "" if quote == code[at] else quote or code[at]
        parts.append(code[at])
        at += 1
    return "".join(parts)
