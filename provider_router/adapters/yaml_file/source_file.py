"""One configuration file as it was read."""

from __future__ import annotations

import hashlib
from collections.abc import Generator
from contextlib import contextmanager
from functools import cached_property

from provider_router.adapters.yaml_file.located_yaml import LocatedYaml, RefusedFileError, parse


class SourceFile:
    """The content of a file; parsed at most once.

    Args:
        name: Relative to the watched folder, with `/` between its parts.
        content: Of the whole file.
        problem: Why it could not be read; empty when it was.
    """

    def __init__(self, name: str, content: bytes, problem: str = "") -> None:
        self.name = name
        self.content = content
        self.problem = problem

    def is_same_as(self, other: SourceFile) -> bool:
        """Whether both say the same."""
        return self.content == other.content and self.problem == other.problem

    @cached_property
    def digest(self) -> str:
        """SHA-256, hexadecimal: of the content, or of why there is none."""
        return hashlib.sha256(self.content + self.problem.encode()).hexdigest()

    @cached_property
    def located(self) -> LocatedYaml:
        """The parsed document.

        Raises:
            RefusedFileError: It could not be read, is no UTF-8, or no YAML that is supported here.
        """
        with self.blamed():
            if self.problem:
                raise RefusedFileError(0, self.problem)
            try:
                text = self.content.decode("utf-8")
            except UnicodeDecodeError as error:
                line = self.content[: error.start].count(b"\n") + 1
                raise RefusedFileError(line, "is not UTF-8") from error
            return parse(text)

    def line(self, number: int) -> str:
        """The text of a line, counted from 1; empty for one that is not there."""
        lines = self.content.decode("utf-8", "replace").split("\n")
        return lines[number - 1] if 0 < number <= len(lines) else ""

    @contextmanager
    def blamed(self) -> Generator[None]:
        """Puts this file's name on every `RefusedFileError` that leaves the block without one."""
        try:
            yield
        except RefusedFileError as error:
            error.file = error.file or self.name
            raise
