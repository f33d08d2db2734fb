"""Paths, patterns and media types of a workspace's files."""

from __future__ import annotations

import fnmatch
import posixpath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox_service.domain.workspace import is_pattern, matches, media_type_of, path_problem

paths = st.text(st.sampled_from("ab./\\\0\n*é"), max_size=12)


@given(paths)
def test_a_path_without_a_problem_stays_below_the_workspace(path: str) -> None:
    if not path_problem(path):
        joined = posixpath.normpath(posixpath.join("/work", path))
        assert joined == f"/work/{path}"
        assert not {"\0", "\n", "\\"} & set(path)


@pytest.mark.parametrize("path", ["a", "a/b.txt", "ä ö/ü.csv", ".hidden", "a..b", "..a/b", "x" * 255])
def test_ordinary_paths_have_no_problem(path: str) -> None:
    assert path_problem(path) == ""


@pytest.mark.parametrize("path", ["x" * 256, "/".join(["abcdefgh"] * 150), "\ud800"])
def test_paths_that_no_file_system_takes_have_one(path: str) -> None:
    assert path_problem(path)


@given(st.text(st.sampled_from("ab?*"), max_size=6), st.text("ab", max_size=6))
def test_patterns_within_one_name_match_as_they_do_elsewhere(pattern: str, name: str) -> None:
    if "**" not in pattern:
        assert matches(pattern, name) == fnmatch.fnmatchcase(name, pattern)


@pytest.mark.parametrize(
    ("pattern", "path", "found"),
    [
        ("*.csv", "a.csv", True),
        ("*.csv", "x/a.csv", False),
        ("**/*.csv", "a.csv", True),
        ("**/*.csv", "x/y/a.csv", True),
        ("out/**", "out/x/y", True),
        ("out/**", "outer/x", False),
        ("a?c", "a/c", False),
        ("a.c", "abc", False),
        ("[ab]", "a", False),
    ],
)
def test_patterns_over_folders(pattern: str, path: str, *, found: bool) -> None:
    assert matches(pattern, path) is found


@pytest.mark.parametrize("pattern", ["*a" * 400 + "*b", "**a" * 300 + "b", "**/" * 300 + "b", "?*" * 400 + "b"])
def test_no_pattern_takes_long(pattern: str) -> None:
    # One who goes back and tries again would not come to an end here.
    assert not matches(pattern, "a" * 255)
    assert not matches(pattern, "a/" * 400 + "a")


def test_only_stars_and_question_marks_make_a_pattern() -> None:
    assert [is_pattern(path) for path in ("a", "a[b]", "a*", "a?")] == [False, False, True, True]


@pytest.mark.parametrize(
    ("path", "start", "media_type"),
    [
        ("a.png", b"\x89PNG\r\n\x1a\n", "image/png"),
        ("a.txt", b"\x89PNG\r\n\x1a\n", "image/png"),
        ("a.png", b"<script>", "application/octet-stream"),
        ("a.CSV", b"1,2", "text/csv"),
        ("a.json", b"{}", "application/json"),
        ("a.html", b"<p>", "text/html"),
        ("Makefile", b"all:", "application/octet-stream"),
        ("x.y/name", b"", "application/octet-stream"),
    ],
)
def test_media_types_follow_the_name_unless_the_bytes_belie_it(path: str, start: bytes, media_type: str) -> None:
    assert media_type_of(path, start) == media_type
