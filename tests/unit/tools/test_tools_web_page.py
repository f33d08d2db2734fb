"""What of a page reaches a model: characters, types, HTML."""

from __future__ import annotations

import pytest

from tool_executor.adapters.page_worker.extract import read
from tool_executor.domain.web_page import decoded, is_text, sniffed_type

ARTICLE = " ".join(["The ship left the harbour in the early morning, and nobody saw it again for many years."] * 6)
PAGE = f"""<!doctype html><html><head><title>  The\n Ship </title><style>p {{}}</style></head><body>
<nav><a href="/">Home</a> <a href="about?x=1#top">About <b>us</b></a> <a href="javascript:alert(1)">Run</a></nav>
<article><h1>The Ship</h1><p>{ARTICLE}</p><p>Its <a href="https://other.example/log">log</a> was found.</p>
<table><tr><th>Year</th><th>Crew</th></tr><tr><td>1901</td><td>12</td></tr></table></article>
<script>var secret = "not read";</script><a href="//cdn.example/x">Mirror</a><a href="/">Home again</a></body></html>"""
URL = "https://site.example/a/b"


def test_people_read_the_article_and_its_links() -> None:
    page = read(PAGE.encode(), "", URL)
    assert page.title == "The Ship"
    assert ARTICLE in page.text
    assert "1901" in page.text
    assert not any(word in page.text for word in ("not read", "About", "p {"))
    assert [(link.text, link.url) for link in page.links] == [
        ("Home", "https://site.example/"),
        ("About us", "https://site.example/a/about?x=1"),
        ("log", "https://other.example/log"),
        ("Mirror", "https://cdn.example/x"),
    ]


def test_a_page_without_an_article_is_read_whole_in_order() -> None:
    html = "<ul><li>One <b>bold</b> thing</li><li>Two</li></ul><div>Three<br>Four<script>no</script> five</div>"
    assert read(html.encode(), "", URL).text.split("\n") == ["One bold thing", "Two", "Three", "Four five"]


def test_an_address_that_the_page_gives_its_links_to_start_from_is_heeded() -> None:
    page = read(b'<base href="https://base.example/x/"><a href="y">why</a><a href="http://[bad">no</a>', "", URL)
    assert [link.url for link in page.links] == ["https://base.example/x/y"]


def test_what_a_page_gives_is_bounded() -> None:
    links = "".join(f'<a href="/{n}">{"word " * 40}</a>' for n in range(200))
    page = read(f"<title>{'t' * 5_000}</title>{links}".encode(), "", URL)
    assert (len(page.links), len(page.title), max(len(link.text) for link in page.links)) == (100, 300, 120)


@pytest.mark.parametrize("html", [b"", b"   ", b"<!-- nothing -->"])
def test_what_is_no_html_is_told(html: bytes) -> None:
    with pytest.raises(ValueError, match="no HTML"):
        read(html, "", URL)


@pytest.mark.parametrize(
    "html", [b"<a><b></c>", b"<p>" * 3_000, b"<!DOCTYPE x [<!ENTITY a 'b'>]>&a;<p>x", b"<\xff\xfe\0>x"]
)
def test_broken_html_is_read_as_well_as_can_be(html: bytes) -> None:
    assert read(html, "", URL).links == ()


def test_nothing_of_the_machine_is_read_by_an_entity() -> None:
    html = b'<!DOCTYPE html [<!ENTITY x SYSTEM "file:///etc/passwd">]><html><body><p>before &x; after</p></body></html>'
    assert "root:" not in read(html, "", URL).text


@pytest.mark.parametrize(
    ("body", "charset", "text"),
    [
        ("h\u00e9".encode(), "", "h\u00e9"),
        ("h\u00e9".encode("cp1252"), "", "h\u00e9"),
        ("h\u00e9 \u20ac".encode("cp1252"), "iso-8859-1", "h\u00e9 \u20ac"),
        ("\u0434\u0430".encode("koi8-r"), "KOI8-R", "\u0434\u0430"),
        ('<meta charset="shift_jis">\u65e5'.encode("shift_jis"), "", '<meta charset="shift_jis">\u65e5'),
        ("\ufeffh\u00e9".encode("utf-16-le"), "utf-8", "h\u00e9"),
        (b"\xef\xbb\xbfh", "", "h"),
        (b"h\xff", "utf-8", "h\ufffd"),
        *((b"abc", charset, "abc") for charset in ("punycode", "rot13", "hex", "no such", "utf-7", "idna", "\ufffd")),
    ],
)
def test_characters_are_read_as_browsers_do_and_by_no_strange_codec(body: bytes, charset: str, text: str) -> None:
    assert decoded(body, charset) == text


def test_types_that_are_not_told_are_guessed_and_bytes_are_no_text() -> None:
    assert sniffed_type(b" \n<!DOCTYPE HTML><p>") == "text/html"
    assert sniffed_type(b"plain <html>") == "text/plain"
    assert is_text("\ufeffx".encode("utf-16"))
    assert not is_text(b"GIF89a\0\0")
