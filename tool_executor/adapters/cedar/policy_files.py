"""The files of tool policies, read again whenever they change.

The platform's file permits and forbids; beside it, in a folder of the same name, there may be a file for each
organisation, `tools/<organisation>.cedar`, which only forbids. So a file more never allows more.
"""

from __future__ import annotations

import asyncio
import errno
import os
import stat
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cedarpy

from shared.cedar.written_policy import WrittenPolicy, WrongPolicyError, prepared, written_policies
from shared.errors import PreconditionFailed
from shared.telemetry.logging import get_logger
from tool_executor.adapters.cedar.policy_names import FILES_CAP, folder_problems, is_read, name_problem
from tool_executor.adapters.cedar.schema import SCHEMA
from tool_executor.domain.policy_file import PolicyFile

_log = get_logger(__name__)
_FILE_CAP_BYTES = 1024 * 1024
_COMPILED_CAP = 256
_ANNOTATIONS = frozenset({"id", "description"})
# A file system's clock is coarse: a file this young may be written again with the same size and time.
_FRESH_NS = 2_000_000_000
_Stamp = tuple[int, int, int]


@dataclass(slots=True)
class _File:
    """One file as it was seen last. `policies` are the newest good ones; None when there never were any."""

    stamp: _Stamp | None = None
    policies: tuple[WrittenPolicy, ...] | None = None
    problem: str = ""
    missed: bool = False


class CedarPolicyFiles:
    """Knows the policies in force for each organisation.

    A wrong file is refused with its line and the reason, in the log, and the policies before stay. An organisation
    whose file was never good has no policies in force, and its calls are refused.

    Args:
        platform_file: the platform's policies; must be there and good at the start.
        poll_s: seconds between two looks.
    """

    def __init__(self, platform_file: Path, *, poll_s: float) -> None:
        self._platform = platform_file
        self._folder = platform_file.with_suffix("")
        self._poll_s = poll_s
        self._files: dict[Path, _File] = {}
        self._compiled: dict[str, cedarpy.PolicySet] = {}
        self._strange: dict[str, str] = {}

    def load(self) -> None:
        """Look at all files, and take those that changed. Blocks.

        Raises:
            PreconditionFailed: TOOL_POLICIES_INVALID, when the platform's policies were never good.
        """
        changed = [self._look(path) for path in (self._platform, *self._found())]
        if any(changed):
            self._compiled = {}
        platform = self._files[self._platform]
        if platform.policies is None:
            message = f"The tool policies {self._platform.name} cannot be used: {platform.problem}."
            raise PreconditionFailed("TOOL_POLICIES_INVALID", message)

    async def watch(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await asyncio.sleep(self._poll_s)
            await asyncio.to_thread(self.load)

    def problem_of(self, org_id: str) -> str:
        """Return what is wrong with the file of `org_id` as it is now, with its line; empty for nothing."""
        return next((file.problem for file in self._own(org_id)), "")

    def files(self) -> Sequence[PolicyFile]:
        """Return the platform's file, then the organisations' by name; see the port."""
        own = sorted((path, file) for path, file in list(self._files.items()) if path != self._platform)
        strange = [PolicyFile(f"{self._folder.name}/{name}", (), why) for name, why in self._strange.items()]
        return [
            _shown(self._platform.name, self._files[self._platform]),
            *(_shown(self.name_of(path.stem), file, name_problem(path.name)) for path, file in own),
            *strange,
        ]

    def name_of(self, org_id: str) -> str:
        """Return the name of the file of `org_id`, whether it is there or not."""
        return f"{self._folder.name}/{org_id}.cedar"

    def policies(self, org_id: str) -> cedarpy.PolicySet | None:
        """Return what is in force for `org_id`, as `platform:<id>` and `organisation:<id>`; None when its file is bad.

        Bad is a file that was never good; else the newest good policies are in force.
        """
        compiled = self._compiled
        found = compiled.get(org_id)
        if found is not None:
            return found
        own = [each for file in self._own(org_id) for each in file.policies or ()]
        if any(file.policies is None for file in self._own(org_id)):
            return None
        platform = self._files[self._platform].policies or ()
        forms = {f"platform:{each.id}": each.form for each in platform}
        forms |= {f"organisation:{each.id}": each.form for each in own}
        if len(compiled) >= _COMPILED_CAP:
            compiled.clear()
        compiled[org_id] = made = prepared(forms)
        return made

    def _own(self, org_id: str) -> list[_File]:
        """Return the file of `org_id`, if there is one."""
        # Compared with the names of files that are there: no path is made of an organisation's name.
        return [file for path, file in list(self._files.items()) if path != self._platform and path.stem == org_id]

    def _found(self) -> list[Path]:
        """Return the organisations' files: those that are there, and those that were."""
        known = [path for path in self._files if path != self._platform]
        try:
            names = [path.name for path in self._folder.iterdir()]
        except FileNotFoundError:
            names = []
        except OSError as error:
            _log.warning("tool_policies_not_listed", reason=error.strerror)
            return known
        there = {self._folder / name for name in names if is_read(name)}
        self._note_strange(folder_problems((name for name in names if not is_read(name)), len(there)))
        return sorted({*known, *there})[:FILES_CAP]

    def _note_strange(self, strange: dict[str, str]) -> None:
        for name in strange.keys() - self._strange.keys():
            _log.warning("tool_policies_not_read", file=name or self._folder.name, reason=strange[name])
        self._strange = strange

    def _look(self, path: Path) -> bool:
        """Take `path` if it changed; return whether other policies are in force now."""
        new = path not in self._files
        if new and path != self._platform and name_problem(path.name):
            _log.warning("tool_policies_of_nobody", file=path.name, reason=name_problem(path.name))
        file = self._files.setdefault(path, _File())
        before, problem = file.policies, file.problem
        try:
            stamp = _stamp(path)
            if stamp == file.stamp:
                return False
            file.missed, file.problem = False, ""
            file.policies = self._read(path)
            # Of a fresh file the stamp is not believed: it is read again.
            file.stamp = stamp if abs(time.time_ns() - stamp[0]) > _FRESH_NS else None
        except FileNotFoundError:
            return self._gone(path, file)
        except (OSError, WrongPolicyError) as error:
            file.problem = _reason(error)
            if file.problem != problem:
                _log.warning("tool_policies_refused", file=path.name, reason=file.problem)
        return new or file.policies != before

    def _gone(self, path: Path, file: _File) -> bool:
        if path == self._platform:
            if not file.problem:
                _log.warning("tool_policies_refused", file=path.name, reason="is not there")
            file.stamp, file.problem = None, "is not there"
            return False
        # Only at the second look: many editors remove a file for a moment while they save it.
        if not file.missed:
            file.stamp, file.missed = None, True
            return False
        del self._files[path]
        return True

    def _read(self, path: Path) -> tuple[WrittenPolicy, ...]:
        with open(path, "rb", opener=_opened_at_once) as opened:
            _check_regular(os.fstat(opened.fileno()))
            content = opened.read(_FILE_CAP_BYTES + 1)
        if len(content) > _FILE_CAP_BYTES:
            raise WrongPolicyError(0, f"is larger than {_FILE_CAP_BYTES} bytes")
        try:
            text = content.decode()
        except UnicodeDecodeError as error:
            raise WrongPolicyError(content.count(b"\n", 0, error.start), "is no UTF-8 text") from error
        policies = written_policies(text, SCHEMA, _objection if path == self._platform else _objection_to_own)
        prepared({each.id: each.form for each in policies})
        return policies


def _stamp(path: Path) -> _Stamp:
    status = path.stat()
    _check_regular(status)
    return status.st_mtime_ns, status.st_size, status.st_ino


def _check_regular(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "it is no regular file")


def _opened_at_once(path: str, flags: int) -> int:
    # A pipe would wait for whoever writes into it, and no file would be read again.
    return os.open(path, flags | os.O_NONBLOCK)


def _shown(name: str, file: _File, strange: str = "") -> PolicyFile:
    return PolicyFile(name, tuple(each.id for each in file.policies or ()), file.problem or strange)


def _reason(error: OSError | WrongPolicyError) -> str:
    if isinstance(error, WrongPolicyError):
        return f"line {error.line + 1}: {error}"
    return f"cannot be read: {error.strerror}"


def _objection(notes: Mapping[str, str], forbids: bool) -> str:  # noqa: FBT001  the shape that the reader asks with
    del forbids
    unknown = sorted(notes.keys() - _ANNOTATIONS)
    return f"there is no annotation @{unknown[0]}" if unknown else ""


def _objection_to_own(notes: Mapping[str, str], forbids: bool) -> str:  # noqa: FBT001
    if not forbids:
        return "is a permit; an organisation's policies only forbid, and say `unless` for exceptions"
    return _objection(notes, forbids)
