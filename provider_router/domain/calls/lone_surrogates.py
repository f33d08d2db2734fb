r"""Halves of characters in JSON: `\ud83d` without the `\ude00` that makes it one.

JSON allows them, some servers send them where an answer is cut between two halves, and no UTF-8 has a place for them.
"""

from __future__ import annotations

import re

# A first half without a second one, and a second one without a first.
_LONE = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    rb"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2}"
)
# No JSON holds it as it is.
_ASIDE = b"\0"


def without_lone_surrogates(json: bytes) -> bytes:
    """`json` with U+FFFD, the sign for what cannot be told, for each half of a character that stands alone.

    Made of few steps, each over the whole: there may be megabytes of escapes. What is no JSON need not become any.
    """
    # An escaped backslash is never to be taken for the beginning of another escape.
    aside = json.replace(rb"\\", _ASIDE)
    return _LONE.sub(rb"\\ufffd", aside).replace(_ASIDE, rb"\\")
