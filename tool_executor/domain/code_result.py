"""What a program shows beside what it prints: values as text or JSON, pictures and tables as files."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from tool_executor.domain.code_run import Form
from tool_executor.domain.output_limit import encode
from tool_executor.domain.workspace_file import FileIn

MOST_RESULTS = 32
# What calls of matplotlib give back, as many programs end with one: `[<matplotlib.lines.Line2D object at 0x7f...>]`.
_TELLS_NOTHING = re.compile(r"[\[(]?<[\w.]{1,200} object at 0x[0-9a-f]{1,16}>,?[\])]?")
_FILES = {"image/png": ("plot", "png"), "text/html": ("table", "html")}


@dataclass(frozen=True, slots=True)
class CodeResults:
    """What a program showed.

    Args:
        values: one object for each thing, with `text` or `json`, and the name of its `file` if it has one.
        text: the values as text, for people; pictures, and objects that say only where they are, left out.
        files: pictures and tables.
        left_out: how many more things there were.
    """

    values: tuple[dict[str, object], ...]
    text: str
    files: tuple[FileIn, ...]
    left_out: int


def results_of(shown: Sequence[tuple[Form, ...]]) -> CodeResults:
    """Return what is told and kept of `shown`. Nothing in it is believed: what is no JSON or no text is left out."""
    values: list[dict[str, object]] = []
    texts: list[str] = []
    files: list[FileIn] = []
    counts = dict.fromkeys(_FILES, 0)
    for forms in shown[:MOST_RESULTS]:
        by_type = {form.media_type: form.data for form in forms}
        text = by_type.get("text/plain", b"").decode("utf-8", "replace")
        value: dict[str, object] = _value(by_type.get("application/json"), text)
        for media_type, (stem, suffix) in _FILES.items():
            if data := by_type.get(media_type):
                counts[media_type] += 1
                files.append(FileIn(f"{stem}-{counts[media_type]}.{suffix}", data))
                value["file"] = files[-1].path
        if text and "image/png" not in by_type and not _TELLS_NOTHING.fullmatch(text):
            texts.append(text)
        values.append(value)
    return CodeResults(tuple(values), "\n".join(texts), tuple(files), max(0, len(shown) - MOST_RESULTS))


def _value(structure: bytes | None, text: str) -> dict[str, object]:
    """Return a value as JSON where the program gave it so, else as text."""
    if structure is not None:
        try:
            found: object = json.loads(structure)
            encode(found)
        except (ValueError, RecursionError):
            return {"text": text}
        return {"json": found}
    return {"text": text}
