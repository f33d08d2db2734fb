"""Configuration files that are read again whenever they change.

    files = WatchedFiles(FileSet(folder, ("limits.yaml",)), read_limits, Limits(), poll_s=0.5)
    await files.load()                  # once, at the start
    files.current().value               # what is in force; never blocks
    Service(..., background=[files.watch])

`read` gets the files that are there, by name, and returns one immutable value. It runs in a thread, does no I/O, and
raises `RefusedFileError` when it does not like one (see `validated`, `SourceFile.blamed` and `LocatedYaml.wrong`).
The set is taken whole or refused whole: while the newest one is wrong, the one before stays in force, and `problems`
say which file is wrong, on which line, and why. A value may know of files that it was made without (`left_out`).
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from provider_router.adapters.yaml_file.file_set import FileSet, Stamp, UnreadableError, is_fresh
from provider_router.adapters.yaml_file.located_yaml import RefusedFileError, WrongFile
from provider_router.adapters.yaml_file.source_file import SourceFile
from provider_router.domain.configuration.problem import ConfigurationProblem
from shared.clock import Clock, SystemClock
from shared.telemetry.logging import get_logger

_log = get_logger(__name__)
_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class InForce(Generic[_Value]):
    """The configuration in force. It never changes; a newer one is another object.

    Attributes:
        value: What was read.
        digest: SHA-256, hexadecimal: of the content where there is one file, else of the names and digests of all;
            empty when no set was ever good.
        problems: Which files are not in force as they are now; none when all are.
    """

    value: _Value
    digest: str = ""
    problems: tuple[ConfigurationProblem, ...] = ()

    @property
    def error(self) -> str:
        """The problems in one line; empty for none."""
        return "; ".join(map(str, self.problems))


class WatchedFiles(Generic[_Value]):
    """Reads the files of one set, and reads them again when one of them changed, came or went.

    A file that went is missed only at the second look: many editors remove a file for a moment while they save it.

    Args:
        files: The set.
        read: Makes the value of the files that are there, by name and in the order of their names.
        initial: In force until a set was good.
        poll_s: Seconds between two looks.
        left_out: What is wrong in files that a value was made without.
        clock: For the time since when a file has a problem.
    """

    def __init__(
        self,
        files: FileSet,
        read: Callable[[Mapping[str, SourceFile]], _Value],
        initial: _Value,
        *,
        poll_s: float,
        left_out: Callable[[_Value], Sequence[WrongFile]] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._files = files
        self._read = read
        self._poll_s = poll_s
        self._left_out = left_out
        self._clock = clock or SystemClock()
        self._in_force = InForce(initial)
        # What was seen last, so that unchanged files are neither read nor parsed again.
        self._stamp: Stamp | None = None
        self._sources: Mapping[str, SourceFile] = {}
        self._digest: str | None = None
        self._missed: frozenset[str] = frozenset()

    def current(self) -> InForce[_Value]:
        """What is in force. Never blocks, never raises."""
        return self._in_force

    async def load(self) -> None:
        """Looks at the files once, and takes them if they changed. Never raises for wrong files."""
        before = self._in_force
        after = await asyncio.to_thread(self._looked_at, before)
        if after is before:
            return
        self._in_force = after
        for problem in after.problems:
            if problem not in before.problems:
                _log.warning("configuration_refused", error=str(problem))
        if after.value is not before.value or not after.problems:
            _log.info("configuration_taken", files=list(self._sources), version=after.digest)

    async def watch(self) -> None:
        """Looks at the files again and again, until cancelled."""
        while True:
            await asyncio.sleep(self._poll_s)
            await self.load()

    def _looked_at(self, before: InForce[_Value]) -> InForce[_Value]:
        """What is in force after a look; `before` itself when nothing changed. Blocks."""
        try:
            stamp = self._files.stamp()
            if stamp == self._stamp or self._misses(stamp):
                return before
            sources = {name: self._source(name) for name in stamp}
        except UnreadableError as error:
            self._stamp, self._digest = None, None
            return self._refused(before, error.wrong_file)
        after = self._taken(before, sources)
        # Why a file could not be read may be over without a trace in its stamp.
        is_settled = not is_fresh(stamp) and not any(source.problem for source in sources.values())
        self._stamp = stamp if is_settled else None
        return after

    def _misses(self, stamp: Stamp) -> bool:
        """Whether a file is missing that was there at the look before."""
        gone = frozenset(self._sources.keys() - stamp.keys())
        newly, self._missed = gone - self._missed, gone
        return bool(newly)

    def _source(self, name: str) -> SourceFile:
        """The file `name`: the very object of before where its content is the same, so that it is not parsed again."""
        now, before = self._files.read(name), self._sources.get(name)
        return before if before is not None and before.is_same_as(now) else now

    def _taken(self, before: InForce[_Value], sources: Mapping[str, SourceFile]) -> InForce[_Value]:
        digest = _digest_of(sources)
        if digest == self._digest:
            return before
        try:
            value = self._read(sources)
            left_out = self._left_out(value) if self._left_out else ()
            after = InForce(value, digest, self._noted(before, left_out))
        except RefusedFileError as error:
            after = self._refused(before, error.wrong_file())
        # Only now: a set that could not be taken for any other reason is tried again at the next look.
        self._sources, self._digest = sources, digest
        return after

    def _refused(self, before: InForce[_Value], wrong: WrongFile) -> InForce[_Value]:
        problems = self._noted(before, (wrong,))
        return before if before.problems == problems else replace(before, problems=problems)

    def _noted(self, before: InForce[_Value], wrong: Sequence[WrongFile]) -> tuple[ConfigurationProblem, ...]:
        since, now = {each.file: each.since for each in before.problems}, self._clock.now()
        return tuple(
            ConfigurationProblem(each.file, each.line, each.reason, since.get(each.file, now)) for each in wrong
        )


def _digest_of(sources: Mapping[str, SourceFile]) -> str:
    if len(sources) == 1:
        return next(iter(sources.values())).digest
    listed = "".join(f"{name}\n{source.digest}\n" for name, source in sources.items())
    return hashlib.sha256(listed.encode()).hexdigest()
