"""What is found in a body on the way: that only Anthropic's own models can know, and that only helps."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from provider_router.servicer.http.fields import WrongFieldError, maybe_in, object_in, one_of
from provider_router.servicer.http.openai_chat.unknown_fields import check_taken

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_LIFETIMES = ("5m", "1h")
_MOST_FOREIGN = 32
_REFUSED: Mapping[str, str] = {
    # Servers of the dialect may know them from others, and would generate more than was reserved.
    **dict.fromkeys(
        ("max_completion_tokens", "max_output_tokens", "max_tokens_to_sample"), "is not taken: use max_tokens"
    ),
    # They say where, and at whose expense, what the contract of the model says.
    **dict.fromkeys(
        ("inference_geo", "workspace_id", "billing_policy", "fallback_credit_token"),
        "is not taken: that is the operator's to say",
    ),
}
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
        """Notes something foreign.

        Raises:
            WrongFieldError: There is too much of it.
        """
        self.foreign[name if _NAME.fullmatch(name) else "unknown"] = None
        if len(self.foreign) > _MOST_FOREIGN:
            raise WrongFieldError(f"has one of more than {_MOST_FOREIGN} things that nobody knows")

    def rest_of(self, owner: Mapping[str, Any], known: frozenset[str]) -> None:
        """Notes the fields of `owner` besides those `known`, unless they say nothing."""
        for name in owner.keys() - known:
            if owner[name] not in _NOTHING:
                self.add_foreign(name)


def check_field(name: str) -> None:
    """Checks that a field of the body that is not known here is nothing that the router decides.

    Raises:
        WrongFieldError: It is.
    """
    refused = _REFUSED.get(name.lower())
    if refused:
        raise WrongFieldError(refused)
    check_taken(name)


def cached_in(owner: Mapping[str, Any]) -> str:
    """For how long the prompt up to the end of `owner` is to be kept: of its `cache_control`, empty for none."""
    return maybe_in(owner, "cache_control", cache_lifetime, "")


def cache_lifetime(value: Any) -> str:
    """Reads a `cache_control`."""
    control = object_in(value)
    maybe_in(control, "type", lambda kind: one_of(kind, ("ephemeral",)), "")
    return maybe_in(control, "ttl", lambda lifetime: one_of(lifetime, _LIFETIMES), "5m")
