"""Reads data URLs (RFC 2397) and addresses of what a message holds besides text."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import unquote

from provider_router.domain.contracts.address_rules import Reach, reach_said_by
from provider_router.servicer.http.fields import WrongFieldError

_MOST_ADDRESS = 8192
# Of what is neither space nor backslash: those that fetch do not agree on what such mean there.
_AUTHORITY = re.compile(r"https://([^\x00-\x20\x7f\\/?#]+)(?:[/?#]|$)", re.IGNORECASE)


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


def leads_inside(url: str) -> bool:
    """Whether `url`, which a provider is to fetch from, says by itself that it leads into a network of somebody's own.

    Raises:
        WrongFieldError: It is no address, too long, or one that nobody may be asked to fetch from.
    """
    if len(url) > _MOST_ADDRESS or not (found := _AUTHORITY.match(url)):
        raise WrongFieldError(f"must be an https address of at most {_MOST_ADDRESS} characters, or a data URL")
    reach = reach_said_by(_host(found[1]))
    if reach is Reach.NEVER:
        raise WrongFieldError("is an address that nobody is asked to fetch from")
    return reach is Reach.PRIVATE


def _host(authority: str) -> str:
    """The host, as all that fetch from addresses may understand it."""
    if "%" in authority or not authority.isascii():
        authority = unicodedata.normalize("NFKC", unquote(authority))
    host = authority.lower().rpartition("@")[2]
    bare = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    return bare.rstrip(".")
