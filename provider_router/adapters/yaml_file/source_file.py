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
    """

    def __init__(self, name: str, content: bytes) -> None:
        self.name = name
        self.content = content

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the content, hexadecimal."""
        return hashlib.sha256(self.content).hexdigest()

    @cached_property
    def located(self) -> LocatedYaml:
        """The parsed document.

        Raises:
            RefusedFileError: It is no UTF-8, or no YAML that is supported here.
        """
        with self.blamed():
            try:
                text = self.content.decode("utf-8")
            except UnicodeDecodeError as error:
                line = self.content[: error.start].count(b"\n") + 1
                raise RefusedFileError(line, "is not UTF-8") from error
            return parse(text)

    @contextmanager
    def blamed(self) -> Generator[None]:
        """Puts this file's name on every `RefusedFileError` that leaves the block without one."""
        try:
            yield
        except RefusedFileError as error:
            error.file = error.file or self.name
            raise
