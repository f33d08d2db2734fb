"""Arguments of the tools that ship with Nexus, taken from the question without a model."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from orchestrator.domain.extract_algebra import extract_algebra
from orchestrator.domain.extract_arithmetic import extract_arithmetic
from orchestrator.domain.extract_code import extract_code
from orchestrator.domain.extract_when import extract_day
from orchestrator.domain.extract_zone import extract_zone

CALCULATOR: Final = "calculator"
EXECUTE_CODE: Final = "execute_code"
CALENDAR: Final = "get_user_context"
TIME: Final = "get_current_time"


@dataclass(frozen=True, slots=True)
class Setting:
    """Where and when a question is asked: the local time, and the names of all IANA time zones."""

    now: datetime
    zones: Collection[str]


@dataclass(frozen=True, slots=True)
class FoundArguments:
    """Arguments as one JSON object.

    Attributes:
        arguments_json: the arguments.
        evident: whether finding them speaks for the tool.
        certain: whether it decides for the tool by itself.
    """

    arguments_json: str
    evident: bool = False
    certain: bool = False


def known_arguments(tool: str, question: str, setting: Setting) -> FoundArguments | None:
    """Return the arguments that the question holds for the tool, or None for an unknown tool or when it holds none."""
    find = _FINDERS.get(tool)
    return find(question, setting) if find else None


def _calculator(question: str, _: Setting) -> FoundArguments | None:
    algebra = extract_algebra(question)
    if algebra is not None:
        return FoundArguments(_json({"expression": algebra}), evident=True, certain=True)
    found = extract_arithmetic(question)
    if found is None:
        return None
    return FoundArguments(_json({"expression": found.expression}), evident=True, certain=found.alone)


def _code(question: str, _: Setting) -> FoundArguments | None:
    found = extract_code(question)
    if found is None:
        return None
    return FoundArguments(_json({"code": found.code}), evident=found.wanted, certain=found.wanted)


def _calendar(question: str, setting: Setting) -> FoundArguments:
    # Without a day the tool covers the coming week, which is what a question without one means.
    day = extract_day(question, setting.now.date())
    return FoundArguments(_json({"day": day} if day else {}))


def _time(question: str, setting: Setting) -> FoundArguments:
    zone = extract_zone(question, setting.zones)
    return FoundArguments(_json({"time_zone": zone} if zone else {}))


def _json(arguments: dict[str, str]) -> str:
    return json.dumps(arguments, ensure_ascii=False, separators=(",", ":"))


_FINDERS: Mapping[str, Callable[[str, Setting], FoundArguments | None]] = {
    CALCULATOR: _calculator,
    EXECUTE_CODE: _code,
    CALENDAR: _calendar,
    TIME: _time,
}
