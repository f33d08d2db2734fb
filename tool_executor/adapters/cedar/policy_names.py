"""Names of organisations' policy files, and what is in their folder under other names."""

from __future__ import annotations

import re
from collections.abc import Iterable

FILES_CAP = 10_000
"""Most files of organisations that are read."""
_READ = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}\.cedar")
_ORGANISATION = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.cedar")
_TOLD_CAP = 100
_NOT_READ = "is not read: only <organisation's id>.cedar is, with the id in lower case"


def is_read(name: str) -> bool:
    """Return whether the file of that name is taken for an organisation's."""
    return _READ.fullmatch(name) is not None


def name_problem(name: str) -> str:
    """Return why a file of that name, which is read, holds for nobody; empty when an organisation may be called so."""
    if _ORGANISATION.fullmatch(name):
        return ""
    return "holds for nobody: it must be named by an organisation's id, a UUID in lower case, and end in .cedar"


def folder_problems(names: Iterable[str], files: int) -> dict[str, str]:
    """Return what is wrong with a folder, by the names of what is in it; an empty name is the folder's own.

    Args:
        names: of what is there and not read. Hidden files and editors' copies are nobody's mistake.
        files: how many would be read.
    """
    # Names that are no text cannot be told as they are.
    strange = sorted(
        name if name.isprintable() else ascii(name)
        for name in names
        if not name.startswith(".") and not name.endswith("~")
    )
    found = dict.fromkeys(strange[:_TOLD_CAP], _NOT_READ)
    said = [f"{len(strange) - _TOLD_CAP} more files are not read"] if len(strange) > _TOLD_CAP else []
    if files > FILES_CAP:
        said.append(f"holds {files} files of policies, of which {FILES_CAP} are read")
    return found | ({"": "; ".join(said)} if said else {})
