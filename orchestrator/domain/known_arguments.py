"""Arguments of the tools that ship with Nexus, taken from the question without a model, or why there are none."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from orchestrator.domain.extract_algebra import extract_algebra
from orchestrator.domain.extract_arithmetic import extract_arithmetic
from orchestrator.domain.extract_code import extract_code, extract_shell
from orchestrator.domain.extract_when import extract_when
from orchestrator.domain.extract_zone import extract_zones
from orchestrator.domain.prompts import CannotCalculate, CannotWriteCode, PlaceUnknown, Prompt

CALCULATOR: Final = "calculator"
EXECUTE_CODE: Final = "execute_code"
SHELL: Final = "shell"
CALENDAR: Final = "get_user_context"
TIME: Final = "get_current_time"
KNOWLEDGE: Final = "knowledge_search"
# Nothing else can be meant by these words.
_ASKS_TIME = re.compile(r"\bwhat\s+time\s+is\s+it\b|\bwhat(?:['\u2019]s|\s+is)\s+the\s+time\b(?!\s+of)", re.IGNORECASE)
_MOST_ASKING_CHARS = 1000
_ARTIFACT = re.compile(r"\bartifacts?\b", re.IGNORECASE)
_ID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.IGNORECASE)
_MOST_ARTIFACTS = 16


@dataclass(frozen=True, slots=True)
class Setting:
    """Where and when a question is asked: the local time, and the names of all IANA time zones."""

    now: datetime
    zones: Collection[str]


@dataclass(frozen=True, slots=True)
class FoundArguments:
    """Arguments of one call or, where a question names several things, of several.

    Attributes:
        calls: one JSON object a call, at least one.
        evident: whether finding them speaks for the tool.
        certain: whether it decides for the tool by itself.
    """

    calls: tuple[str, ...]
    evident: bool = False
    certain: bool = False


def known_arguments(tool: str, question: str, setting: Setting) -> FoundArguments | None:
    """Return the arguments that the question holds for the tool, or None for an unknown tool or when it holds none."""
    find = _FINDERS.get(tool)
    return find(question, setting) if find else None


def why_none(tool: str, question: str, setting: Setting) -> Prompt | None:
    """Return what to say when a tool is meant whose arguments the question does not hold; None for an unknown tool."""
    if tool in {EXECUTE_CODE, SHELL}:
        return CannotWriteCode()
    if tool == CALCULATOR:
        return CannotCalculate()
    if tool == TIME:
        return PlaceUnknown(extract_zones(question, setting.zones).unknown)
    return None


def _calculator(question: str, _: Setting) -> FoundArguments | None:
    algebra = extract_algebra(question)
    if algebra is not None:
        return FoundArguments((_json({"expression": algebra}),), evident=True, certain=True)
    found = extract_arithmetic(question)
    if found is None:
        return None
    return FoundArguments((_json({"expression": found.expression}),), evident=True, certain=found.alone)


def _code(question: str, _: Setting) -> FoundArguments | None:
    found = extract_code(question)
    if found is None:
        return None
    arguments = {"code": found.code, **_artifacts(question.replace(found.code, " "))}
    return FoundArguments((_json(arguments),), evident=found.wanted, certain=found.wanted)


def _shell(question: str, _: Setting) -> FoundArguments | None:
    found = extract_shell(question)
    if found is None:
        return None
    arguments = {"command": found.code, **_artifacts(question.replace(found.code, " "))}
    return FoundArguments((_json(arguments),), evident=found.wanted, certain=found.wanted)


def _artifacts(words: str) -> dict[str, object]:
    """Return the stored files that the words around a program name, to be put beside it; nothing for none."""
    if not _ARTIFACT.search(words):
        return {}
    ids = list(dict.fromkeys(match.lower() for match in _ID.findall(words)))[:_MOST_ARTIFACTS]
    return {"artifacts": [{"artifact_id": name} for name in ids]} if ids else {}


def _calendar(question: str, setting: Setting) -> FoundArguments:
    # Without a day the tool covers the coming week, which is what a question without one means.
    return FoundArguments((_json(extract_when(question, setting.now.date())),))


def _time(question: str, setting: Setting) -> FoundArguments | None:
    found = extract_zones(question, setting.zones)
    if found.unknown and not found.zones:
        return None
    calls = tuple(_json({"time_zone": zone}) for zone in found.zones) or (_json({}),)
    return FoundArguments(calls, certain=_ASKS_TIME.search(question[:_MOST_ASKING_CHARS]) is not None)


def _knowledge(question: str, _: Setting) -> FoundArguments:
    """A question to the knowledge is the clause as it stands: it is compared by its meaning."""
    return FoundArguments((_json({"query": question[:_MOST_ASKING_CHARS]}),))


def _json(arguments: Mapping[str, object]) -> str:
    return json.dumps(arguments, ensure_ascii=False, separators=(",", ":"))


_FINDERS: Mapping[str, Callable[[str, Setting], FoundArguments | None]] = {
    CALCULATOR: _calculator,
    EXECUTE_CODE: _code,
    SHELL: _shell,
    CALENDAR: _calendar,
    TIME: _time,
    KNOWLEDGE: _knowledge,
}
