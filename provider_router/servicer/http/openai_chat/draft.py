"""What is known of a request while its fields are read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from provider_router.servicer.http.data_url import address_inside, leads_inside
from provider_router.servicer.http.fields import WrongFieldError
from provider_router.servicer.http.unknown_fields import check_name, is_hint

_MOST_UNKNOWN = 32


class Draft:
    """A request that is being read.

    Attributes:
        chat: Fields of `ChatRequest` so far.
        sampling: Fields of `Sampling` so far.
        foreign: As in `CallersBody`.
        hints: As in `CallersBody`.
        model: As the caller wrote it.
        streamed: Whether the answer is to come piece by piece.
        told_usage: Whether a stream is to tell the tokens used.
        allowed_tools: Names of those that may be asked for; None for all.
        likely_tokens: `top_logprobs`; None where it is not given.
        limits: Most tokens to generate, by the field that says so.
        limit: What the dialect calls that.
        inside: An address in it that leads inside, see `data_url.leads_inside`; empty for none.
        has_nulls: Whether what is said in it has fields that are null.
    """

    __slots__ = (
        "allowed_tools",
        "chat",
        "foreign",
        "has_nulls",
        "hints",
        "inside",
        "likely_tokens",
        "limit",
        "limits",
        "model",
        "sampling",
        "streamed",
        "told_usage",
    )

    def __init__(self, *, told_usage: bool = False, limit: str = "max_completion_tokens") -> None:
        self.chat: dict[str, Any] = {}
        self.sampling: dict[str, Any] = {}
        self.foreign: list[str] = []
        self.hints: list[str] = []
        self.model = ""
        self.streamed = False
        self.told_usage = told_usage
        self.allowed_tools: frozenset[str] | None = None
        self.likely_tokens: int | None = None
        self.limits: dict[str, int] = {}
        self.limit = limit
        self.inside = ""
        self.has_nulls = False

    def unknown(self, name: str, value: Any, prefix: str = "") -> None:
        """Notes a field that has no place in the router's own model; it stands in what is at `prefix` in the body.

        Raises:
            WrongFieldError: It must not reach a provider.
        """
        hint = is_hint(name, value, self.limit)
        if hint:
            self._note(self.hints, prefix + name)
        elif hint is not None:
            self._note_foreign(prefix + name, value)

    def lacks(self, kind: str, prefix: str, value: Any = None) -> None:
        """Notes that the router's own model has no such `kind` of what is at `prefix`: it is foreign.

        Raises:
            WrongFieldError: It is no name, or there is an address in `value`, all of it, that is for nobody.
        """
        check_name(kind)
        self._note_foreign(prefix + kind, value)

    def address(self, url: str) -> str:
        """`url` as an address that a provider is to fetch from.

        Raises:
            WrongFieldError: It is none.
        """
        if leads_inside(url):
            self.inside = self.inside or url
        return url

    def _note_foreign(self, name: str, value: Any) -> None:
        self.inside = address_inside(value) or self.inside
        self._note(self.foreign, name)

    def _note(self, noted: list[str], name: str) -> None:
        if name in noted:
            return
        if len(noted) >= _MOST_UNKNOWN:
            raise WrongFieldError(f"is one of more than {_MOST_UNKNOWN} fields that nobody knows")
        noted.append(name)

    def others(self, owner: Mapping[str, Any], known: frozenset[str], prefix: str) -> None:
        """Notes the fields of `owner`, which stands at `prefix`, that are not `known`, and whether some are null."""
        if None in owner.values():
            self.has_nulls = True
        self.unknown_of(owner, known, prefix)

    def unknown_of(self, owner: Mapping[str, Any], known: frozenset[str], prefix: str) -> None:
        """As `others`, where nulls are looked at elsewhere."""
        if owner.keys() <= known:
            return
        for name, value in owner.items():
            if name in known:
                continue
            try:
                self.unknown(name, value, prefix)
            except WrongFieldError as error:
                raise error.within(f".{name}") from error
