"""What can be seen of a request without a model: counts and signs. Pure, linear in the text, and never the text itself.

Signs of a task class are looked for at both ends of the last message, where instructions stand, and at the start of the
instructions before it; structure is counted over more of it. So a long text costs no more than a page.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from provider_router.domain.calls.chat import ChatRequest, Message, Role
from provider_router.domain.tasks.task import TASK_CLASSES
from provider_router.domain.tasks.task_cues import STEM_CHARS, constraint_words, points_of_words

MOST_TEXT_CHARS = 4_000
"""Of the last message: the first three quarters and the end."""
HEAD_CHARS, TAIL_CHARS = 500, 300
SYSTEM_CHARS = 400
OPENING_WORDS = 4
MOST_CLASS_POINTS = 40

_WORD = re.compile(r"[^\W\d_][\w'+#-]*[\w+#]|[^\W\d_]")
_NUMBER = re.compile(r"\d+")
_OPERATION = re.compile(
    r"\d\s*[-+*/^\u00d7\u00f7=%]\s*\(?-?\d|[a-z]\s*\^\s*\d|\\(?:frac|int|sum|sqrt)|[+*/^]\s*[a-z]\b\s*="
)
_LISTED = re.compile(r"^\s{0,8}(?:[-*•]|\d{1,3}[.)])\s", re.MULTILINE)
_CODE_LINE = re.compile(
    # No \s: it would run over the ends of lines, and over the rest of a text of blank lines from each of them.
    r"[;{}][ \t]*$|^[ \t]*(?:def|class|import|return|const|var|func|fn|#include|SELECT)\b"
    r"|\b[A-Z]\w+(?:Error|Exception)\b",
    re.MULTILINE,
)

_INDEX: Mapping[str, int] = {name: index for index, name in enumerate(TASK_CLASSES)}
_POINTS = {
    cue: tuple((_INDEX[name], points) for name, points in classes.items()) for cue, classes in points_of_words().items()
}
_CONSTRAINTS = constraint_words()
_CLASS_COUNT = len(TASK_CLASSES)


@dataclass(frozen=True, slots=True)
class TaskFeatures:
    """Counts; each at least 0.

    Attributes:
        text_chars: Of the last message.
        total_chars: Of all messages.
        turns: Messages of the person.
        tools: That are offered.
        tool_results: Messages of tools.
        schema: 1 when the answer must follow a schema.
        fences: Marks that begin or end a block of code.
        code_lines: Lines that look like code.
        numbers: Runs of digits.
        operations: Places that look like arithmetic or a formula.
        questions: Question marks.
        listed: Lines of a list.
        constraints: Different words that state a constraint.
        points: Signs of each of `TASK_CLASSES`, in their order, each at most `MOST_CLASS_POINTS`.
    """

    text_chars: int = 0
    total_chars: int = 0
    turns: int = 0
    tools: int = 0
    tool_results: int = 0
    schema: int = 0
    fences: int = 0
    code_lines: int = 0
    numbers: int = 0
    operations: int = 0
    questions: int = 0
    listed: int = 0
    constraints: int = 0
    points: tuple[int, ...] = (0,) * _CLASS_COUNT


def features_of(request: ChatRequest) -> TaskFeatures:
    """Reads a request. 10 to 30 microseconds for a question, at most 300 for a long text."""
    last = last_user_text(request.messages)
    text = _both_ends(last, MOST_TEXT_CHARS * 3 // 4, MOST_TEXT_CHARS // 4)
    points = [0] * _CLASS_COUNT
    constraints = _add_points(_both_ends(text, HEAD_CHARS, TAIL_CHARS).lower(), points, divisor=1)
    first = request.messages[0]
    if first.role is Role.SYSTEM:
        constraints |= _add_points(first.text[:SYSTEM_CHARS].lower(), points, divisor=2)
    total = turns = results = 0
    for message in request.messages:
        total += len(message.text)
        turns += message.role is Role.USER
        results += message.role is Role.TOOL
    return TaskFeatures(
        text_chars=len(last),
        total_chars=total,
        turns=turns,
        tools=len(request.tools),
        tool_results=results,
        schema=int(request.response_schema is not None),
        fences=text.count("```"),
        code_lines=len(_CODE_LINE.findall(text)),
        numbers=len(_NUMBER.findall(text)),
        operations=len(_OPERATION.findall(text)),
        questions=text.count("?"),
        listed=len(_LISTED.findall(text)),
        constraints=len(constraints),
        points=tuple([min(value, MOST_CLASS_POINTS) for value in points]),
    )


def last_user_text(messages: tuple[Message, ...]) -> str:
    """What the person said last; empty when nobody said anything."""
    for message in reversed(messages):
        if message.role is Role.USER:
            return message.text
    return ""


def _both_ends(text: str, head: int, tail: int) -> str:
    return text if len(text) <= head + tail else f"{text[:head]}\n{text[-tail:]}"


def _add_points(text: str, points: list[int], *, divisor: int) -> set[str]:
    """Adds the points of the words of `text`, once for each different word; returns those that state constraints.

    The first words count half as much again: most instructions begin with the verb that says it all.
    """
    words = _WORD.findall(text)
    opening = _signs(words[:OPENING_WORDS])
    signs = _signs(words)
    for sign in signs & _POINTS.keys():
        for index, value in _POINTS[sign]:
            points[index] += (value + value // 2 if sign in opening else value) // divisor
    return signs & _CONSTRAINTS


def _signs(words: list[str]) -> set[str]:
    """The words, the pairs of neighbours, and the stems."""
    signs = set(words)
    signs.update([f"{a} {b}" for a, b in pairwise(words)])
    signs.update([f"{word[:STEM_CHARS]}-" for word in words if len(word) >= STEM_CHARS])
    return signs
