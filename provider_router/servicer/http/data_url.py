"""Reads data URLs (RFC 2397) and addresses of what a message holds besides text."""

from __future__ import annotations

from provider_router.servicer.http.fields import WrongFieldError

_MOST_ADDRESS = 8192


def is_data_url(url: str) -> bool:
    """Whether `url` is a data URL, right or wrong."""
    return url[:5].lower() == "data:"


def data_url_in(url: str) -> tuple[str, str]:
    """The media type and the base64 of a data URL.

    Raises:
        WrongFieldError: It has no media type, or is no base64.
    """
    head, comma, data = url.partition(",")
    media_type, _, rest = head[5:].partition(";")
    if not comma or not data or not media_type or len(head) > 256 or rest.lower().rpartition(";")[2] != "base64":
        raise WrongFieldError("must be a data URL with a media type and base64")
    return media_type.lower(), data


def address_in(url: str) -> str:
    """`url` as an address that a provider can fetch from.

    Raises:
        WrongFieldError: It is none, or too long.
    """
    if not url.lower().startswith("https://") or len(url) > _MOST_ADDRESS:
        raise WrongFieldError(f"must be an https address of at most {_MOST_ADDRESS} characters, or a data URL")
    return url
