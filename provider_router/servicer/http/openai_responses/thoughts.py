"""Thoughts of models whose provider signs or hides them, in a dialect that knows sealed thoughts alone.

What proves a thought travels as the item's `encrypted_content` under a mark of Nexus, so that it comes back with the
next request, goes to nobody but the kind of provider that made it, and is never taken for a seal of OpenAI's.
"""

from __future__ import annotations

from provider_router.domain.calls.content import ThinkingPart

_SIGNED = "nexus-signed:"
_REDACTED = "nexus-redacted:"


def sealed(thought: ThinkingPart) -> str:
    """The seal of `thought`; empty for none."""
    if thought.redacted:
        return _REDACTED + thought.redacted
    return _SIGNED + thought.signature if thought.signature else ""


def unsealed(text: str, seal: str) -> ThinkingPart | None:
    """The thought that came with `seal`; None where another provider sealed it, or nobody did."""
    if seal.startswith(_REDACTED):
        return ThinkingPart(redacted=seal.removeprefix(_REDACTED))
    if seal.startswith(_SIGNED):
        return ThinkingPart(text, signature=seal.removeprefix(_SIGNED))
    return None
