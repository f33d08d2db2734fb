"""Pages of long lists, newest first, and the tokens that name where the next one begins."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Generic, TypeVar

from shared.errors import FieldViolation, InvalidInput

T = TypeVar("T")

DEFAULT_PAGE_SIZE = 50
MAX_PAGE_SIZE = 200
MOST_LISTED_CHARS = 2_000
"""Longer questions and answers are cut in lists, so that a page always fits into one message."""
MOST_MESSAGES_CHARS = 1_500_000
"""Most text of the messages that are read at once; the oldest are left out first."""

_LATEST_US = 2**63 - 1
"""The latest moment that a store can compare with."""


@dataclass(frozen=True, slots=True)
class PageMark:
    """The last row of a page: when it was made (microseconds since 1970) and its id. Rows after it are older."""

    created_us: int
    row_id: str


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which page: at most `size` rows, older than `after`."""

    size: int = DEFAULT_PAGE_SIZE
    after: PageMark | None = None


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Rows, newest first; `next_token` is empty on the last page."""

    rows: tuple[T, ...]
    next_token: str


def page_request(size: int, token: str) -> PageRequest:
    """Return the page that a caller asks for; size 0 means 50.

    Raises:
        InvalidInput: PAGE_TOKEN_INVALID for a token that this service did not make.
    """
    return PageRequest(min(size or DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE), _mark(token) if token else None)


def token_of(mark: PageMark) -> str:
    """Return the opaque token of a mark."""
    return base64.urlsafe_b64encode(f"{mark.created_us}.{mark.row_id}".encode()).decode().rstrip("=")


def _mark(token: str) -> PageMark:
    try:
        text = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True).decode()
        created, _, row_id = text.partition(".")
        mark = PageMark(int(created), row_id)
    except (binascii.Error, ValueError) as error:
        raise _foreign() from error
    if abs(mark.created_us) > _LATEST_US:
        raise _foreign()
    return mark


def _foreign() -> InvalidInput:
    return InvalidInput(
        "PAGE_TOKEN_INVALID",
        "The page token is not one that this service gave. Start again without a token.",
        violations=[FieldViolation("page_token", "is not a token of this list")],
    )
