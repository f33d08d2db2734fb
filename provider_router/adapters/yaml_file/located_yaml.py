"""Parses YAML and remembers the line of every value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import yaml
from yaml.reader import ReaderError

Path: TypeAlias = tuple[str | int, ...]
_DEPTH_CAP = 20
_FLOAT_TAG = "tag:yaml.org,2002:float"


class RefusedFileError(ValueError):
    """The file is wrong.

    Args:
        line: Where, from 1.
        reason: Why; holds no value of the file.
    """

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")


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


def parse(text: str) -> LocatedYaml:
    """Parses one YAML document.

    Raises:
        RefusedFileError: It is not YAML, has a key twice, or uses anchors, tags or deep nesting.
    """
    lines: dict[Path, int] = {(): 1}
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        data = None if node is None else _Walk(loader, lines).value(node, ())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise RefusedFileError((mark.line if mark else 0) + 1, error.problem or "is not YAML") from error
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise RefusedFileError(line, "has a character that YAML does not allow") from error
    except RecursionError as error:
        raise RefusedFileError(1, "is nested too deeply") from error
    return LocatedYaml(data, lines)


class _Walk:
    """Turns nodes into data.

    A node that is met twice is an alias; those are refused, since they can grow a small file without bound.
    """

    def __init__(self, loader: yaml.SafeLoader, lines: dict[Path, int]) -> None:
        self._loader = loader
        self._lines = lines
        self._seen: set[int] = set()

    def value(self, node: yaml.Node, path: Path) -> Any:
        """The data of `node`, which stands at `path`."""
        line = node.start_mark.line + 1
        self._lines.setdefault(path, line)
        if id(node) in self._seen:
            raise RefusedFileError(line, "anchors and aliases are not supported")
        if len(path) > _DEPTH_CAP:
            raise RefusedFileError(line, "is nested too deeply")
        self._seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*path, index)) for index, item in enumerate(node.value)]
        if node.tag == _FLOAT_TAG:
            return node.value
        try:
            return self._loader.construct_object(node)  # pyright: ignore[reportUnknownMemberType]
        except (ValueError, OverflowError) as error:
            # A number or date that looks like one and is none, such as 2026-13-45.
            raise RefusedFileError(line, "has a value that cannot be read") from error

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                raise RefusedFileError(line, "a key must be a plain text")
            key = key_node.value
            if key in data:
                raise RefusedFileError(line, f"the key '{key}' stands twice")
            self._lines[(*path, key)] = line
            data[key] = self.value(value_node, (*path, key))
        return data
