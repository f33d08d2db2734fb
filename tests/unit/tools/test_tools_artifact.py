"""Names and types of artifacts, and what is text in them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tool_executor.domain.artifact import MAX_NAME_BYTES, clean_name, media_type_of, size_words, text_of
from tool_executor.domain.text_search import TextSearch

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.mark.parametrize(
    ("given_name", "kept"),
    [
        ("plot.png", "plot.png"),
        ("Größe 日本.csv", "Größe 日本.csv"),
        ("../../etc/passwd", "passwd"),
        ("C:\\temp\\a.txt", "a.txt"),
        ("a\x00b\nc\x1b[31m.txt", "abc[31m.txt"),
        ("evil\u202egnp.exe", "evilgnp.exe"),
        (" .bashrc ", "bashrc"),
        ("..", "artifact"),
        ("a/", "artifact"),
        ("\ud800", "artifact"),
        ("e\u0301.txt", "\u00e9.txt"),
        ("x" * 300 + ".tar", "x" * 251 + ".tar"),
        ("é" * 200, "é" * 127),
        ("a." + "y" * 300, "a." + "y" * 253),
    ],
)
def test_names_are_made_plain(given_name: str, kept: str) -> None:
    assert clean_name(given_name) == kept


@given(st.text(max_size=400))
def test_a_clean_name_is_one_whatever_was_given(name: str) -> None:
    clean = clean_name(name)
    assert 0 < len(clean.encode()) <= MAX_NAME_BYTES
    assert clean.isprintable()
    assert not set(clean) & set("/\\")
    assert clean_name(clean) == clean


@pytest.mark.parametrize(
    ("name", "claimed", "head", "kept"),
    [
        ("plot.png", "image/png", PNG, "image/png"),
        ("plot.png", "", PNG, "image/png"),
        ("plot.png", "", b"<script>", "application/octet-stream"),
        ("plot.png", "image/png", b"<script>", "application/octet-stream"),
        ("plot.png", "image/jpeg", PNG, "application/octet-stream"),
        ("plot", "image/unheard-of", PNG, "application/octet-stream"),
        ("plot", "", PNG, "image/png"),
        ("photo.JPG", "", b"\xff\xd8\xff\xe0", "image/jpeg"),
        ("a.svg", "", b'<?xml version="1.0"?><svg/>', "image/svg+xml"),
        ("a.svg", "", b"\x00<svg", "application/octet-stream"),
        ("a.csv", "", b"a,b", "text/csv"),
        ("a.csv", "application/x-own; charset=utf-8", b"a,b", "application/x-own"),
        ("a.csv", "no type", b"a,b", "text/csv"),
        ("a.csv", "application/octet-stream", b"a,b", "text/csv"),
        ("notes", "", "Grüße".encode(), "text/plain"),
        ("notes", "", b"", "text/plain"),
        ("data", "", b"\xff\xfe\x00", "application/octet-stream"),
        ("data", "", b"%PDF-1.7", "application/pdf"),
    ],
)
def test_a_media_type_is_held_against_the_bytes(name: str, claimed: str, head: bytes, kept: str) -> None:
    assert media_type_of(name, claimed, head) == kept


@given(st.text(), st.data())
def test_every_piece_of_text_is_text(text: str, data: st.DataObject) -> None:
    whole = text.replace("\x00", "").encode(errors="ignore")
    start, end = sorted(data.draw(st.tuples(*[st.integers(0, len(whole))] * 2)))
    piece = text_of(whole[start:end], inside=start > 0)
    assert piece is not None
    assert piece.encode() in whole[start:end]
    assert end - start - len(piece.encode()) <= 6


@pytest.mark.parametrize("data", [b"\xff\xfe", b"a\x00b", b"a\xffb", PNG])
def test_other_bytes_are_none(data: bytes) -> None:
    assert text_of(data, inside=False) is None


@pytest.mark.parametrize(
    ("size", "words"), [(0, "0 B"), (999, "999 B"), (12_345, "12.3 kB"), (999_999, "1 MB"), (67_108_864, "67.1 MB")]
)
def test_sizes_are_told_shortly(size: int, words: str) -> None:
    assert size_words(size) == words


@given(
    st.text("aAb\u00e9", max_size=60), st.text("ab\u00e9", min_size=1, max_size=3), st.integers(1, 7), st.integers(0, 9)
)
def test_a_search_in_pieces_finds_what_one_in_the_whole_finds(text: str, words: str, size: int, filler: int) -> None:
    data, needle = (text + "-" * 100 * filler + text).encode(), words.encode().lower()
    expected, at = [], data.lower().find(needle)
    while at >= 0:
        expected.append(at + 1000)
        at = data.lower().find(needle, at + len(needle))
    search = TextSearch(words, 1000, 200)
    for start in range(0, len(data), size * 50):
        search.add(data[start : start + size * 50], last=start + size * 50 >= len(data))
    assert [match.offset for match in search.matches] == expected


def test_a_search_stops_at_the_most() -> None:
    search = TextSearch("x", 0, 3)
    search.add(b"x" * 10, last=True)
    assert (search.full, [match.offset for match in search.matches]) == (True, [0, 1, 2])


def test_a_match_at_the_end_of_a_piece_is_told_with_what_follows() -> None:
    search = TextSearch("needle", 0, 3)
    search.add(b"before needle", last=False)
    search.add(b" after", last=True)
    assert [(match.offset, match.text) for match in search.matches] == [(7, "before needle after")]
