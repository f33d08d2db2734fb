"""Where what comes out is kept: results and files of programs that nobody trusts, in one folder."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mesh.cli.artifact_file import written
from protos.gen.nexus.sandbox.v1 import sandbox_pb2 as pb
from sandbox_service.domain.workspace import is_pattern, path_problem
from shared.errors import AlreadyExists, InvalidInput

_PICTURES = {"image/png": ".png"}
_DOCUMENTS = {**_PICTURES, "text/html": ".html", "application/json": ".json"}
_TEXT = "text/plain"
_MOST_RESULTS = 10_000


@dataclass(slots=True)
class Keeper:
    """Names and writes files in a folder.

    Attributes:
        folder: where; made when something is written.
        stem: how the names of results begin.
        force: whether files that are there may be written over.
        pictures_only: whether results that are no pictures are only shown.
    """

    folder: Path
    stem: str
    force: bool = False
    pictures_only: bool = False
    _results: int = 0

    def check(self, patterns: Sequence[str]) -> None:
        """Refuse before anything runs what could not be kept afterwards.

        Raises:
            AlreadyExists: reason FILE_EXISTS.
            InvalidInput: reason PATH_INVALID.
        """
        for pattern in patterns:
            if not is_pattern(pattern):
                self.path_of(pattern)

    def path_of(self, path: str) -> Path:
        """Return where a file of the workspace goes, which is below the folder whatever the path says.

        Raises:
            AlreadyExists: reason FILE_EXISTS.
            InvalidInput: reason PATH_INVALID.
        """
        problem = path_problem(path)
        if problem:
            raise InvalidInput("PATH_INVALID", f"The path {path!r} {problem}.")
        target = self.folder / path
        if not self.force and os.path.lexists(target):
            raise AlreadyExists("FILE_EXISTS", f"{target} is there already. Name another --dest, or use --force.")
        return target

    def keep_result(self, result: pb.RichOutput) -> tuple[str, Path | None]:
        """Write the richest form of a result; return the text to show, and where the form is, None for nowhere.

        The number in the name is the first that is free; with `force` results count from 1.

        Raises:
            InvalidInput: reason FILE_UNWRITABLE.
        """
        kept = _PICTURES if self.pictures_only else _DOCUMENTS
        forms = [form for form in result.forms if form.media_type in kept]
        text = next((form.data.decode("utf-8", "replace") for form in result.forms if form.media_type == _TEXT), "")
        if not forms:
            return text, None
        path = self._write(forms[-1].data, kept[forms[-1].media_type])
        return ("" if path.suffix in _PICTURES.values() else text), path

    def _write(self, data: bytes, suffix: str) -> Path:
        make_folder(self.folder)
        while self._results < _MOST_RESULTS:
            self._results += 1
            path = self.folder / f"{self.stem}-{self._results}{suffix}"
            try:
                with written(path, force=self.force) as opened:
                    opened.write(data)
            except AlreadyExists:
                continue
            return path
        raise InvalidInput("FILE_UNWRITABLE", f"{self.folder} holds too many results. Name another --dest.")


def make_folder(folder: Path) -> None:
    """Make a folder and those above it. Idempotent.

    Raises:
        InvalidInput: reason FILE_UNWRITABLE.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidInput("FILE_UNWRITABLE", f"{folder} cannot be made: {error.strerror}.") from error
