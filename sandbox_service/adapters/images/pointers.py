"""Which image a name stands for: a small file `<name>.json` beside the images, replaced as a whole."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast


@dataclass(frozen=True, slots=True)
class Pointer:
    """What a name stands for.

    Attributes:
        digest: of the image, hexadecimal; its folder has this name.
        recipe: digest of all that it was made from, so that set-up knows when to make it anew.
    """

    digest: str
    recipe: str


def pointer_path(images: Path, name: str) -> Path:
    """Return where the pointer of `name` lies."""
    return images / f"{name}.json"


def read_pointer(images: Path, name: str) -> Pointer | None:
    """Return what `name` stands for; None when it is not set up."""
    try:
        found = cast("dict[str, Any]", json.loads(pointer_path(images, name).read_text(encoding="utf-8")))
        return Pointer(str(found["digest"]), str(found["recipe"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_pointer(images: Path, name: str, pointer: Pointer) -> None:
    """Make `name` stand for another image, at once.

    Raises:
        OSError: when the file cannot be written.
    """
    target = pointer_path(images, name)
    part = target.with_suffix(".part")
    part.write_text(json.dumps(asdict(pointer)) + "\n", encoding="utf-8")
    part.replace(target)
