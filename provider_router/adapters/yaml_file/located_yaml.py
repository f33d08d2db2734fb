"""Parses YAML and remembers the line of every value."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

import yaml
from yaml.reader import ReaderError

Path: TypeAlias = tuple[str | int, ...]
_DEPTH_CAP = 20
_FLOAT_TAG = "tag:yaml.org,2002:float"
# The parser in C is eight times as fast; a build of the library without it takes the one in Python.
_LOADER: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class RefusedFileError(ValueError):
    """A file is wrong.

    Args:
        line: Where, from 1; 0 for one that cannot be read at all.
        reason: Why; holds no value of the file.

    Attributes:
        file: Which one, relative to its folder; empty until `SourceFile.blamed` says so.
    """

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}" if line else reason)
        self.line = line
        self.reason = reason
        self.file = ""

    def wrong_file(self) -> WrongFile:
        """What is left to say of it once it was caught."""
        return WrongFile(self.file, self.line, self.reason)


@dataclass(frozen=True, slots=True)
class WrongFile:
    """A file that is not in force, and why; the fields mean what they mean in `RefusedFileError`."""

    file: str
    line: int
    reason: str

    def __str__(self) -> str:
        place = f"{self.file} line {self.line}:" if self.line else self.file
        return f"{place} {self.reason}"


def path_text(path: Sequence[str | int]) -> str:
    """How the place of a value is shown: `contracts[3].prices[0].from`."""
    shown = ""
    for part in path:
        shown += f"[{part}]" if isinstance(part, int) else f".{part}" if shown else part
    return shown


@dataclass(frozen=True, slots=True)
class LocatedYaml:
    """Plain data and where it stands.

    Attributes:
        data: Mappings, lists and scalars. Numbers with a decimal point are kept as text, so that none is rounded.
        lines: From the path of a value to its line, from 1.
    """

    data: Any
    lines: Mapping[Path, int]

    def line_of(self, path: Sequence[str | int]) -> int:
        """The line of the value at `path`, or of the nearest one around it."""
        for length in range(len(path), -1, -1):
            line = self.lines.get(tuple(path[:length]))
            if line is not None:
                return line
        return 1

    def wrong(self, path: Sequence[str | int], reason: str) -> RefusedFileError:
        """The error that says that the value at `path` is wrong, and where it stands."""
        shown = path_text(path)
        return RefusedFileError(self.line_of(path), f"{shown}: {reason}" if shown else reason)


def parse(text: str) -> LocatedYaml:
    """Parses one YAML document.

    Raises:
        RefusedFileError: It is not YAML, has a key twice, or uses aliases or deep nesting.
    """
    lines: dict[Path, int] = {(): 1}
    try:
        data = _Walk(_LOADER(text), lines).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        # What is not closed is missed behind the end.
        line = min((mark.line if mark else 0) + 1, max(1, len(text.splitlines())))
        raise RefusedFileError(line, error.problem or "is not YAML") from error
    except (ReaderError, UnicodeEncodeError) as error:
        place = error.position if isinstance(error, ReaderError) else error.start
        line = text.count("\n", 0, place) + 1
        raise RefusedFileError(line, "has a character that YAML does not allow") from error
    return LocatedYaml(data, lines)


class _Walk:
    """Turns the parser's events into data.

    Events come one by one whatever the nesting, so that a file of a million brackets ends at the cap on depth and never
    at the end of the stack. Aliases are refused, since they can grow a small file without bound.
    """

    def __init__(self, loader: yaml.SafeLoader, lines: dict[Path, int]) -> None:
        self._loader = loader
        self._lines = lines

    def document(self) -> Any:
        """The data of the only document; None for none."""
        self._next()  # the stream's start
        data = None
        if isinstance(self._next(), yaml.DocumentStartEvent):
            data = self._value(self._next(), ())
            self._next()  # the document's end
            after = self._next()
            if not isinstance(after, yaml.StreamEndEvent):
                raise RefusedFileError(_line_of(after), "expected a single document in the stream")
        return data

    def _next(self) -> yaml.Event:
        return cast("yaml.Event", self._loader.get_event())  # pyright: ignore[reportUnknownMemberType]

    def _value(self, event: yaml.Event, path: Path) -> Any:
        """The data that begins with `event` and stands at `path`."""
        line = _line_of(event)
        self._lines.setdefault(path, line)
        if isinstance(event, yaml.AliasEvent):
            raise RefusedFileError(line, "anchors and aliases are not supported")
        if len(path) > _DEPTH_CAP:
            raise RefusedFileError(line, "is nested too deeply")
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(path)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(path)
        return self._scalar(cast("yaml.ScalarEvent", event))

    def _mapping(self, path: Path) -> dict[str, Any]:
        data: dict[str, Any] = {}
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            line = _line_of(event)
            if not isinstance(event, yaml.ScalarEvent):
                raise RefusedFileError(line, "a key must be a plain text")
            key = str(event.value)
            if key in data:
                raise RefusedFileError(line, f"the key '{key}' stands twice")
            self._lines[(*path, key)] = line
            data[key] = self._value(self._next(), (*path, key))
        return data

    def _sequence(self, path: Path) -> list[Any]:
        data: list[Any] = []
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            data.append(self._value(event, (*path, len(data))))
        return data

    def _scalar(self, event: yaml.ScalarEvent) -> Any:
        tag = event.tag
        if tag is None or tag == "!":
            resolve = cast("Callable[..., str]", self._loader.resolve)  # pyright: ignore[reportUnknownMemberType]
            tag = resolve(yaml.ScalarNode, event.value, event.implicit)
        if tag == _FLOAT_TAG:
            return event.value
        node = yaml.ScalarNode(tag, event.value, cast("Any", event.start_mark), cast("Any", event.end_mark))
        try:
            return self._loader.construct_object(node)  # pyright: ignore[reportUnknownMemberType]
        except (ValueError, OverflowError) as error:
            # A number or date that looks like one and is none, such as 2026-13-45.
            raise RefusedFileError(
                _line_of(event), "has a value that looks like a number or a date and is none"
            ) from error


def _line_of(event: yaml.Event) -> int:
    return cast("Any", event.start_mark).line + 1
