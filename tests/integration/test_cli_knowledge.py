"""`nexus knowledge`: what is asked and printed, and how a text file becomes passages."""

import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mesh.cli.app import app
from protos.gen.nexus.knowledge.v1 import knowledge_pb2 as pb

sys.path.insert(0, str(Path(__file__).parent / "cli_kit"))
from fake_mesh import fake_mesh


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch):
    for name in ("NEXUS_DATA", "NEXUS_API_KEY", "NEXUS_ADDRESS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def mesh(tmp_path):
    with fake_mesh(tmp_path / "d") as running:
        running.answers |= {
            "PutPassages": lambda request: pb.PutPassagesResponse(
                new_passages=len(request.passages), source_passages=len(request.passages)
            ),
            "RemoveSource": lambda request: pb.RemoveSourceResponse(removed_passages=7 * (request.source == "book")),
        }
        yield running


@pytest.fixture
def nexus(tmp_path):
    return lambda *arguments: CliRunner().invoke(app, [*arguments, "--data", str(tmp_path / "d")])


def test_paragraphs_become_passages_and_the_first_part_replaces(mesh, nexus, tmp_path):
    file = tmp_path / "book.txt"
    paragraphs = [f"Paragraph {number}\r\nof the book." for number in range(22)]
    file.write_bytes(("\ufeff\r\n\r\n" + "\r\n \r\n\r\n".join([*paragraphs, paragraphs[0]])).encode())
    result = nexus("knowledge", "put", "book", str(file), "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == {"source": "book", "passages": 6, "new_passages": 22}
    first, second = mesh.requests("PutPassages")
    assert [(request.source, request.replace, len(request.passages)) for request in (first, second)] == [
        ("book", True, 16),
        ("book", False, 6),
    ]
    assert first.passages[1].text == "Paragraph 1\nof the book."
    assert first.request_id != second.request_id != ""


def test_a_long_paragraph_is_parted_between_words(mesh, nexus, tmp_path):
    file = tmp_path / "book.txt"
    words = [f"word-{number}" for number in range(300)]
    file.write_text(" ".join([*words, "x" * 1500]))
    assert "book has 5 passages." in nexus("knowledge", "put", "book", str(file)).output
    texts = [passage.text for passage in mesh.requests("PutPassages")[0].passages]
    assert max(map(len, texts)) <= 1000
    assert "".join(texts).replace(" ", "") == "".join(words) + "x" * 1500
    assert texts[1].startswith("word-")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "FILE_UNREADABLE"),
        (b"\n \n", "FILE_EMPTY"),
        (b"\xff\xfe", "FILE_NOT_TEXT"),
        (b"a\0b", "FILE_NOT_TEXT"),
        (b"a" * (4 * 1024 * 1024 + 1), "FILE_TOO_LARGE"),
    ],
)
def test_a_file_that_cannot_be_put_is_refused(mesh, nexus, tmp_path, content, reason):
    file = tmp_path / "book.txt"
    if content is not None:
        file.write_bytes(content)
    result = nexus("knowledge", "put", "book", str(file), "--json")
    assert (result.exit_code, json.loads(result.stderr)["error"]["reason"]) == (2, reason)
    assert mesh.requests("PutPassages") == []


def test_sources_are_listed_in_pages(mesh, nexus):
    mesh.answers["ListSources"] = lambda _: pb.ListSourcesResponse(
        sources=[pb.Source(name="book", passages=3)], next_page_token="book"
    )
    result = nexus("knowledge", "list", "--limit", "1", "--page", "a")
    (request,) = mesh.requests("ListSources")
    assert (request.page_size, request.page_token) == (1, "a")
    assert all(word in result.output for word in ("book", "3", "More: --page book"))
    mesh.answers["ListSources"] = lambda _: pb.ListSourcesResponse()
    assert "nexus knowledge put" in nexus("knowledge", "list").output


def test_what_is_removed_is_told(mesh, nexus):
    assert "book is removed: 7 passages." in nexus("knowledge", "remove", "book").output
    assert "There was no source page." in nexus("knowledge", "remove", "page").output
    assert json.loads(nexus("knowledge", "remove", "book", "--json").stdout)["removed_passages"] == 7
    assert all(request.request_id for request in mesh.requests("RemoveSource"))


def test_passages_are_found(mesh, nexus):
    hit = pb.FoundPassage(passage=pb.Passage(text="Cats\nsleep.\x1b[2J"), source="book", score=0.51)
    mesh.answers["SearchPassages"] = lambda _: pb.SearchPassagesResponse(passages=[hit])
    result = nexus("knowledge", "search", "who sleeps?", "--limit", "2", "--source", "book")
    (request,) = mesh.requests("SearchPassages")
    assert (request.query, request.limit, request.source) == ("who sleeps?", 2, "book")
    assert "0.51" in result.output
    assert "Cats sleep." in result.output
    assert "\x1b[2J" not in result.output
    mesh.answers["SearchPassages"] = lambda _: pb.SearchPassagesResponse()
    assert "Nothing was found." in nexus("knowledge", "search", "who?").output
