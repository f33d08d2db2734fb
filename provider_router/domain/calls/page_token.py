"""Tokens that name where the next page of a list begins."""

from __future__ import annotations

import base64
import binascii

from provider_router.domain.errors import Reason, failure

_MOST_DIGITS = 18


def token_of(mark: str) -> str:
    """The token of the last row of a page, which `mark` names within its list."""
    return base64.urlsafe_b64encode(mark.encode()).decode().rstrip("=")


def mark_of(token: str) -> str:
    """The mark that `token` was made of; empty for no token.

    Raises:
        InvalidInput: PAGE_TOKEN_INVALID.
    """
    try:
        return base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise _invalid() from error


def number_of(token: str) -> int:
    """The number that `token` was made of; 0 for no token.

    Raises:
        InvalidInput: PAGE_TOKEN_INVALID.
    """
    mark = mark_of(token)
    if not mark:
        return 0
    if not mark.isascii() or not mark.isdigit() or len(mark) > _MOST_DIGITS:
        raise _invalid()
    return int(mark)


def _invalid() -> Exception:
    return failure(
        Reason.PAGE_TOKEN_INVALID, "The page token is not one that this list gave. Start again without a token."
    )
