"""A page of the web as a model reads it."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

HTML_TYPES = frozenset({"text/html", "application/xhtml+xml"})
PLAIN_TYPES = frozenset(
    {
        *("text/plain", "text/markdown", "text/x-markdown", "text/csv", "text/xml", "text/yaml", "text/x-rst"),
        *("application/json", "application/ld+json", "application/feed+json", "application/problem+json"),
        *("application/xml", "application/rss+xml", "application/atom+xml", "application/yaml"),
    }
)
_META_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([a-zA-Z0-9_.:-]{2,40})", re.IGNORECASE)
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
# Those of the web. Python has more, of which some are no charsets and some take for ever.
_CODECS = ("utf-8", "utf-16", "iso8859-", "cp125", "cp932", "cp949", "koi8-", "gb", "big5", "euc_", "shift_jis", "mac-")
_SNIFFED = 1024


class PageUnreadable(Exception):
    """The page breaks the reader: by its size, its depth or its kind."""


@dataclass(frozen=True, slots=True)
class PageLink:
    """Where a page leads.

    Args:
        text: the link's words, at most 120 characters.
        url: absolute, http or https.
    """

    text: str
    url: str


@dataclass(frozen=True, slots=True)
class ReadPage:
    """What people read of a page.

    Args:
        title: empty when it has none.
        text: Markdown.
        links: in the page's order, each address once.
    """

    title: str
    text: str
    links: tuple[PageLink, ...] = ()


def sniffed_type(body: bytes) -> str:
    """Return the media type of a body without one: HTML when it looks so, else plain text."""
    start = body[:_SNIFFED].lstrip().lower()
    return "text/html" if start.startswith((b"<!doctype html", b"<html", b"<head", b"<body")) else "text/plain"


def is_text(body: bytes) -> bool:
    """Whether `body` may be text, whatever its type says: it has no zero bytes, unless it is marked as UTF-16."""
    return body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" not in body[:_SNIFFED]


def decoded(body: bytes, charset: str) -> str:
    """Return `body` as text: by its mark, the charset that was told or that it tells in its head, or UTF-8.

    Bytes that do not fit are replaced; text that is no UTF-8 and says nothing counts as Windows-1252, as browsers do.
    """
    for mark, codec in _MARKS:
        if body.startswith(mark):
            return body.decode(codec, "replace")
    told = _META_CHARSET.search(body[:_SNIFFED])
    for name in (charset, told[1].decode("ascii") if told else ""):
        codec = _text_codec(name)
        if codec:
            return body.decode(codec, "replace")
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        return body.decode("cp1252", "replace")


def _text_codec(name: str) -> str:
    """Return the codec called `name`; empty when the web has no such one. Latin-1 is Windows-1252 to the web."""
    try:
        known = codecs.lookup(name).name
    except (LookupError, ValueError):
        return ""
    if known in {"iso8859-1", "ascii"}:
        return "cp1252"
    return known if known.startswith(_CODECS) else ""
