"""What is found in a body on the way: that only Anthropic's own models can know, and that only helps."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from provider_router.servicer.http.data_url import leads_inside
from provider_router.servicer.http.fields import WrongFieldError, maybe_in, object_in, one_of, text_in
from provider_router.servicer.http.openai_chat.unknown_fields import check_taken, check_within

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_LIFETIMES = ("5m", "1h")
_MOST_FOREIGN = 32
_LIMIT = "max_tokens"
_NOTHING: tuple[Any, ...] = (None, [], {})


class Findings:
    """Collects names; those that callers chose are shown only where they are harmless in a header.

    Attributes:
        foreign: Of what has no place in `ChatRequest`, in order, once each.
        hints: Of what other providers do without, and nobody misses.
        inside: An address that leads inside, see `data_url.leads_inside`; empty for none.
        nulls: Whether what is said has fields that are null.
        unsigned: Whether thoughts without a signature came, which no provider of the dialect takes back.
    """

    __slots__ = ("foreign", "hints", "inside", "nulls", "unsigned")

    def __init__(self) -> None:
        self.foreign: dict[str, None] = {}
        self.hints: dict[str, None] = {}
        self.inside = ""
        self.nulls = False
        self.unsigned = False

    def add_foreign(self, name: str) -> None:
        """Notes something foreign.

        Raises:
            WrongFieldError: There is too much of it.
        """
        self.foreign[name if _NAME.fullmatch(name) else "unknown"] = None
        if len(self.foreign) > _MOST_FOREIGN:
            raise WrongFieldError(f"has one of more than {_MOST_FOREIGN} things that nobody knows")

    def address(self, value: Any) -> str:
        """`value` as an address that a provider is to fetch from.

        Raises:
            WrongFieldError: It is none.
        """
        if leads_inside(text_in(value)):
            self.inside = self.inside or value
        return value

    def unknown(self, name: str, value: Any) -> None:
        """Notes a field that is not known here, unless it says nothing.

        Raises:
            WrongFieldError: It must not reach a provider.
        """
        if value in _NOTHING:
            return
        check_taken(name, _LIMIT)
        check_within(value, _LIMIT)
        self.add_foreign(name)

    def rest_of(self, owner: Mapping[str, Any], known: frozenset[str]) -> None:
        """Notes the fields of `owner` besides those `known`, and whether some are null.

        Raises:
            WrongFieldError: One must not reach a provider.
        """
        if None in owner.values():
            self.nulls = True
        if owner.keys() <= known:
            return
        for name, value in owner.items():
            if name in known:
                continue
            try:
                self.unknown(name, value)
            except WrongFieldError as error:
                raise error.within(f".{name}") from error


def cached_in(owner: Mapping[str, Any]) -> str:
    """For how long the prompt up to the end of `owner` is to be kept: of its `cache_control`, empty for none."""
    return maybe_in(owner, "cache_control", cache_lifetime, "")


def cache_lifetime(value: Any) -> str:
    """Reads a `cache_control`."""
    control = object_in(value)
    maybe_in(control, "type", lambda kind: one_of(kind, ("ephemeral",)), "")
    return maybe_in(control, "ttl", lambda lifetime: one_of(lifetime, _LIFETIMES), "5m")
