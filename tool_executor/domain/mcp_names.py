"""Names of MCP tools in the registry: `<server>_<tool>`, the same for the same catalog whatever its order."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Sequence

MAX_CHARS = 64
_DIGEST_CHARS = 8
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_OTHER = re.compile(r"[^a-z0-9]+")


def tool_names(server: str, originals: Sequence[str], is_taken: Callable[[str], bool]) -> dict[str, str]:
    """Return the name in the registry of each of `originals`, the names that the server gives, all different.

    A name that others share after cleaning, that is too long or that a tool of Nexus has, ends with a digest of the
    original.

    Args:
        server: the server's name, `[a-z][a-z0-9]*`.
        originals: names of its tools.
        is_taken: whether a tool of Nexus has a name.
    """
    plain = {original: _clean(server, original) for original in originals}
    shared = Counter(plain.values())
    return {
        original: _with_digest(name, original)
        if len(name) > MAX_CHARS or is_taken(name) or (shared[name] > 1 and name != f"{server}_{original}")
        else name
        for original, name in plain.items()
    }


def _clean(server: str, original: str) -> str:
    word = _OTHER.sub("_", _HUMP.sub("_", original).lower()).strip("_")
    return f"{server}_{word}" if word else _with_digest(f"{server}_tool", original)


def _with_digest(name: str, original: str) -> str:
    digest = hashlib.sha256(original.encode("utf-8", "replace")).hexdigest()[:_DIGEST_CHARS]
    return f"{name[: MAX_CHARS - _DIGEST_CHARS - 1].rstrip('_')}_{digest}"
