"""Reads data URLs (RFC 2397) and addresses of what a message holds besides text."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote

from provider_router.servicer.http.fields import WrongFieldError, step_to, steps_in, word_in
from shared.net.address_rules import Reach, reach_said_by

_MOST_ADDRESS = 8192
_PLAIN = (int, float, bool, type(None))
# Of what is neither space nor backslash: those that fetch do not agree on what such mean there.
_AUTHORITY = re.compile(r"https://([^\x00-\x20\x7f\\/?#]+)(?:[/?#]|$)", re.IGNORECASE)
# What somebody may fetch from who makes the best of what is written; a text may go on after a space.
_FOREIGN = re.compile(r"[\s\x00-\x1f]*https?:[\\/]+([^ \\/?#]*)", re.IGNORECASE)
_HOST = re.compile(r"(?:\[([0-9a-f:.]+(?:%[a-z0-9._~-]+)?)\]|([a-z0-9._-]+))(?::[0-9]*)?")


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


def bytes_in(value: Any) -> str:
    """`value` as bytes in base64, or in a data URL.

    Raises:
        WrongFieldError: It is neither: an address, say, that somebody would fetch from.
    """
    raw = word_in(value, 0)
    if ":" in raw and not is_data_url(raw):
        raise WrongFieldError("must be bytes in base64, and no address")
    return raw


def leads_inside(url: str) -> bool:
    """Whether `url`, which a provider is to fetch from, says by itself that it leads into a network of somebody's own.

    Raises:
        WrongFieldError: It is no address, too long, or one that nobody may be asked to fetch from.
    """
    if len(url) > _MOST_ADDRESS or not (found := _AUTHORITY.match(url)):
        raise WrongFieldError(f"must be an https address of at most {_MOST_ADDRESS} characters, or a data URL")
    return _is_inside(found[1])


def address_inside(value: Any) -> str:
    """The first text in `value`, of a field that nobody knows, that is an address and leads inside; empty for none.

    Raises:
        WrongFieldError: One is an address that nobody may be asked to fetch from.
    """
    if isinstance(value, str):
        link = _FOREIGN.match(value)
        return value if link and _is_inside(link[1]) else ""
    inside = ""
    for key, inner in steps_in(value):
        # Most is nothing of the kind, and there may be much of it.
        if type(inner) in _PLAIN or (type(inner) is str and ":" not in inner):
            continue
        try:
            found = address_inside(inner)
        except WrongFieldError as error:
            raise error.within(step_to(key)) from error
        inside = inside or found
    return inside


def _is_inside(authority: str) -> bool:
    if len(authority) > _MOST_ADDRESS:
        raise WrongFieldError("has a host that is none")
    user, _, written = authority.rpartition("@")
    host = unquote(written)
    if not host.isascii():
        raise WrongFieldError("has a host that is not ASCII: write it as xn--...")
    found = _HOST.fullmatch(host.lower())
    if not found or "@" in user:
        raise WrongFieldError("has a host that is none")
    try:
        reach = reach_said_by(found[1] or found[2].rstrip("."))
    except ValueError as error:
        raise WrongFieldError("has a host that is neither a name nor an address that all read alike") from error
    if reach is Reach.NEVER:
        raise WrongFieldError("is an address that nobody is asked to fetch from")
    return reach is Reach.PRIVATE
