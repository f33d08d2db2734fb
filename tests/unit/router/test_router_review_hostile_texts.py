"""No text keeps the router busy: while it reads one call, all others wait."""

from __future__ import annotations

import time

import pytest

from provider_router.domain.cache.text_guard import MOST_CHARS, guard_of
from provider_router.domain.calls.chat import ChatRequest, Message, Role
from provider_router.domain.tasks.task_features import features_of

UNITS = [
    "\n",
    " \n",
    "\t",
    ";\n",
    "{",
    "1 ",
    "1+(",
    "a",
    "A",
    "a-",
    "- ",
    "'a",
    '"',
    "\u201e",
    "\u201c",
    "@",
    "/a",
    "a.",
    "`",
    "x^",
]
MOST_S = 0.05
"""Many times what any of them takes; a pattern that goes over the text once for each character takes far more."""


def quickest_s(read: object, text: object) -> float:
    def once() -> float:
        began = time.thread_time()
        read(text)
        return time.thread_time() - began

    return min(once() for _ in range(3))


@pytest.mark.parametrize("unit", UNITS)
def test_features_are_read_in_no_time(unit: str) -> None:
    text = unit * (100_000 // len(unit))
    assert quickest_s(features_of, ChatRequest((Message(Role.USER, text),))) < MOST_S


@pytest.mark.parametrize("unit", UNITS)
def test_the_guard_of_the_cache_reads_in_no_time(unit: str) -> None:
    assert quickest_s(guard_of, (unit * MOST_CHARS)[:MOST_CHARS]) < MOST_S / 2


def test_code_is_still_seen_line_by_line() -> None:
    text = "\n\n  def f(x):\n\n    return x\nconst a = {\n  b: 1;  \n}\nfine"
    assert features_of(ChatRequest((Message(Role.USER, text),))).code_lines == 6
