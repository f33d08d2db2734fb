"""What is found in a body on the way: that only Anthropic's own models can know, and that only helps."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from provider_router.servicer.http.fields import maybe_in, object_in, one_of

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_LIFETIMES = ("5m", "1h")
_NOTHING: tuple[Any, ...] = (None, [], {})


class Findings:
    """Collects names; those that callers chose are shown only where they are harmless in a header.

    Attributes:
        foreign: Of what has no place in `ChatRequest`, in order, once each.
        hints: Of what other providers do without, and nobody misses.
        unsigned: Whether thoughts without a signature came, which no provider of the dialect takes back.
    """

    __slots__ = ("foreign", "hints", "unsigned")

    def __init__(self) -> None:
        self.foreign: dict[str, None] = {}
        self.hints: dict[str, None] = {}
        self.unsigned = False

    def add_foreign(self, name: str) -> None:
        """Notes something foreign."""
        self.foreign[name if _NAME.fullmatch(name) else "unknown"] = None

    def rest_of(self, owner: Mapping[str, Any], known: frozenset[str]) -> None:
        """Notes the fields of `owner` besides those `known`, unless they say nothing."""
        for name in owner.keys() - known:
            if owner[name] not in _NOTHING:
                self.add_foreign(name)


def cached_in(owner: Mapping[str, Any]) -> str:
    """For how long the prompt up to the end of `owner` is to be kept: of its `cache_control`, empty for none."""
    return maybe_in(owner, "cache_control", cache_lifetime, "")


def cache_lifetime(value: Any) -> str:
    """Reads a `cache_control`."""
    control = object_in(value)
    maybe_in(control, "type", lambda kind: one_of(kind, ("ephemeral",)), "")
    return maybe_in(control, "ttl", lambda lifetime: one_of(lifetime, _LIFETIMES), "5m")
