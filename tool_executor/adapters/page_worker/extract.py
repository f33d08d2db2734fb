"""Makes text of HTML with trafilatura and lxml."""

from __future__ import annotations

import importlib
from typing import Any

from yarl import URL

from tool_executor.domain.web_page import PageLink, ReadPage, decoded

# Neither carries types for what is used here.
_etree: Any = importlib.import_module("lxml.etree")
_html: Any = importlib.import_module("lxml.html")
_trafilatura: Any = importlib.import_module("trafilatura")

MAX_TEXT_CHARS = 1_000_000
_MAX_LINKS = 100
_LOOKED_AT_LINKS = 2_000
_MAX_TITLE_CHARS = 300
_MAX_LINK_CHARS = 120
_MAX_URL_CHARS = 1_000
# With less, what was taken for the main text has missed what the page is about: a list, a form, a table of contents.
_LEAST_CHARS = 200
_FOR_PROGRAMS = ("script", "style", "noscript", "template", "svg")
_BLOCKS = frozenset(
    {
        *("address", "article", "aside", "blockquote", "br", "dd", "div", "dl", "dt", "fieldset", "figure", "footer"),
        *("form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main", "nav", "ol", "option", "p", "pre"),
        *("section", "table", "td", "th", "tr", "ul"),
    }
)


def read(html: bytes, charset: str, url: str) -> ReadPage:
    """Return what people read of the page.

    Raises:
        ValueError: when it is no HTML.
    """
    parser = _html.HTMLParser(encoding="utf-8", no_network=True, remove_comments=True)
    text = decoded(html, charset).replace("\0", "")
    try:
        tree = _html.document_fromstring(text.encode("utf-8", "replace"), parser=parser)
    except (_etree.ParserError, _etree.XMLSyntaxError) as error:
        raise ValueError("no HTML") from error
    _etree.strip_elements(tree, *_FOR_PROGRAMS, with_tail=False)
    # The extraction takes the tree apart, so the rest is read before.
    title, links = _title(tree), _links(tree, url)
    whole = _whole_text(tree)
    main = _main_text(tree, url)
    said = main if len(main) >= _LEAST_CHARS else whole
    return ReadPage(title, said[:MAX_TEXT_CHARS], links)


def _main_text(tree: Any, url: str) -> str:
    """Return the page's main text as Markdown; empty when none is found."""
    found = _trafilatura.extract(
        tree, url=url, output_format="markdown", include_comments=False, include_tables=True, with_metadata=False
    )
    return str(found or "")


def _whole_text(tree: Any) -> str:
    """Return all words of the page, menus included, a block a line."""
    body = tree.find("body")
    pieces: list[str] = []
    for event, element in _etree.iterwalk(tree if body is None else body, events=("start", "end")):
        if element.tag in _BLOCKS:
            pieces.append("\n")
        pieces.append((element.text if event == "start" else element.tail) or "")
    lines = (" ".join(line.split()) for line in "".join(pieces).splitlines())
    return "\n".join(line for line in lines if line)


def _title(tree: Any) -> str:
    for path in ("//meta[@property='og:title']/@content", "//head/title/text()", "//title/text()", "//h1//text()"):
        for found in tree.xpath(path)[:3]:
            words = " ".join(str(found).split())
            if words:
                return words[:_MAX_TITLE_CHARS]
    return ""


def _links(tree: Any, url: str) -> tuple[PageLink, ...]:
    start = _absolute(URL(url, encoded=True), str(next(iter(tree.xpath("//base/@href")), ""))) or URL(url, encoded=True)
    found: dict[str, PageLink] = {}
    for element in tree.xpath("//a[@href]")[:_LOOKED_AT_LINKS]:
        target = _absolute(start, str(element.get("href")))
        words = " ".join(element.xpath("string()").split())[:_MAX_LINK_CHARS]
        if target is None or not words or len(str(target)) > _MAX_URL_CHARS or str(target) == url:
            continue
        found.setdefault(str(target), PageLink(words, str(target)))
        if len(found) == _MAX_LINKS:
            break
    return tuple(found.values())


def _absolute(start: URL, href: str) -> URL | None:
    """Return where `href` leads, without a fragment; None when that is no page of the web."""
    try:
        target = start.join(URL(href.strip()[: _MAX_URL_CHARS + 1])).with_fragment(None)
    except ValueError:
        return None
    return target if target.scheme in {"http", "https"} and target.host else None
