"""The templates and their typed variables: one class a file in `adapters/prompts/`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Prompt:
    """A template by name and version; its fields are the template's variables, all of them text."""

    template: ClassVar[str]


@dataclass(frozen=True, slots=True)
class SystemNative(Prompt):
    """Instructions for a model that calls tools: today as a date with its weekday, the user's IANA time zone."""

    template: ClassVar[str] = "system_native.v2"
    today: str
    time_zone: str


@dataclass(frozen=True, slots=True)
class SystemPlain(Prompt):
    """Instructions for a model that only talks."""

    template: ClassVar[str] = "system_plain.v1"
    today: str


@dataclass(frozen=True, slots=True)
class ToolData(Prompt):
    """A tool's result for the model: marked as data that is not to be obeyed, between marks that it cannot know."""

    template: ClassVar[str] = "tool_data.v2"
    mark: str
    tool: str
    content: str


@dataclass(frozen=True, slots=True)
class HistoryDropped(Prompt):
    """Tells the model that older messages were left out; `count` is how many."""

    template: ClassVar[str] = "history_dropped.v1"
    count: str


@dataclass(frozen=True, slots=True)
class FillArguments(Prompt):
    """Asks a model for the arguments of one tool as JSON."""

    template: ClassVar[str] = "fill_arguments.v1"
    tool: str
    description: str
    today: str
    question: str


@dataclass(frozen=True, slots=True)
class AnswerFromTool(Prompt):
    """States one tool's result."""

    template: ClassVar[str] = "answer_from_tool.v1"
    summary: str


@dataclass(frozen=True, slots=True)
class AnswerFromFailedTool(Prompt):
    """States that a tool failed and why."""

    template: ClassVar[str] = "answer_from_failed_tool.v1"
    tool: str
    summary: str


@dataclass(frozen=True, slots=True)
class CannotWriteCode(Prompt):
    """States that the offline model writes no programs, and what helps."""

    template: ClassVar[str] = "cannot_write_code.v1"


@dataclass(frozen=True, slots=True)
class OnlyPython(Prompt):
    """States that a program in another language than Python cannot be run."""

    template: ClassVar[str] = "only_python.v1"
    language: str


@dataclass(frozen=True, slots=True)
class CannotCalculate(Prompt):
    """States that no calculation could be read from the question, and what helps."""

    template: ClassVar[str] = "cannot_calculate.v1"


@dataclass(frozen=True, slots=True)
class PlaceUnknown(Prompt):
    """States that the time zone of a place is not known, and what helps."""

    template: ClassVar[str] = "place_unknown.v1"
    place: str


@dataclass(frozen=True, slots=True)
class OfflineNote(Prompt):
    """The line at the end of an answer that the offline demonstration model wrote."""

    template: ClassVar[str] = "offline_note.v1"


@dataclass(frozen=True, slots=True)
class OfflineToolsNote(Prompt):
    """The line at the end of an answer that the tools alone gave, because there is only the demonstration model."""

    template: ClassVar[str] = "offline_tools_note.v1"


@dataclass(frozen=True, slots=True)
class OfflineInsteadNote(Prompt):
    """The line at the end of an answer where others than the demonstration model are configured, and of no use now."""

    template: ClassVar[str] = "offline_instead_note.v1"


@dataclass(frozen=True, slots=True)
class InsteadWarning(Prompt):
    """Tells who answered, and why those who should have did not; `why` ends with a full stop."""

    template: ClassVar[str] = "instead_warning.v1"
    who: str
    why: str


@dataclass(frozen=True, slots=True)
class TroublesWarning(Prompt):
    """Tells that only the demonstration model is left, and what is wrong with what was configured."""

    template: ClassVar[str] = "troubles_warning.v1"
    model: str
    troubles: str


@dataclass(frozen=True, slots=True)
class ToolsNotChosenWarning(Prompt):
    """Tells that a model was offered tools that do not fit the question, and why; `why` ends with a full stop."""

    template: ClassVar[str] = "tools_not_chosen_warning.v1"
    count: str
    why: str


@dataclass(frozen=True, slots=True)
class OfflineWarning(Prompt):
    """The warning that goes with an answer that the offline demonstration model wrote."""

    template: ClassVar[str] = "offline_warning.v1"
    model: str


@dataclass(frozen=True, slots=True)
class OfflineToolsWarning(Prompt):
    """The warning that goes with an answer without a word of the offline demonstration model `model`."""

    template: ClassVar[str] = "offline_tools_warning.v1"
    model: str
