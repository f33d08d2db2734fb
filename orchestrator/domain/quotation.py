"""Quotes what a tool said, so that it cannot pass for anything else."""

from __future__ import annotations

import hashlib
import re

from orchestrator.domain.prompts import ToolData

_MARK_CHARS = 16
# A tag of the quotation, however it is spelt: spaces, invisible characters and other cases between and in its letters.
_TAG = re.compile(r"<(?=[^\w<>]{0,16}t[^\w<>]{0,4}o[^\w<>]{0,4}o[^\w<>]{0,4}l[^a-z<>]{0,4}d)", re.IGNORECASE)
_NO_NAME = re.compile(r"[^A-Za-z0-9_.-]")


def quotation(tool: str, content: str) -> ToolData:
    """Return `content` as data of `tool`, between marks.

    The mark is a digest of the content itself: whatever the content holds, it cannot hold its own mark, and the prompt
    of a run stays the same from turn to turn. Tags like those around it are defused all the same, since a model may not
    look closely. The name of the tool may come from a model: what no name has is left out of it.
    """
    named = _NO_NAME.sub("", tool)[:64]
    defused = _TAG.sub("< ", content)
    mark = hashlib.sha256(f"{named}\n{defused}".encode(errors="surrogatepass")).hexdigest()[:_MARK_CHARS]
    return ToolData(mark, named, defused)
