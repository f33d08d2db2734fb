"""What is found in a body on the way: that only Anthropic's own models can know, and that only helps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from provider_router.servicer.http.data_url import address_inside, leads_inside
from provider_router.servicer.http.fields import WrongFieldError, maybe_in, object_in, one_of, text_in
from provider_router.servicer.http.unknown_fields import check_name, is_hint

_LIFETIMES = ("5m", "1h")
_MOST_FOREIGN = 32
_LIMIT = "max_tokens"


class Findings:
    """Collects names that are harmless in a header.

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

    def add_foreign(self, name: str, value: Any = None) -> None:
        """Notes something foreign, and what addresses there are in the `value` that the caller gave it.

        Raises:
            WrongFieldError: There is too much of it, or it is no name, or has an address that is for nobody.
        """
        check_name(name)
        self.inside = address_inside(value) or self.inside
        self.foreign[name] = None
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
        """Notes a field that is not known here, unless its value changes nothing.

        Raises:
            WrongFieldError: It must not reach a provider.
        """
        hint = is_hint(name, value, _LIMIT)
        if hint:
            self.hints[name] = None
        elif hint is not None:
            self.add_foreign(name, value)

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
