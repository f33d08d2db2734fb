from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from provider_router.adapters.http.server_sent_events import EventParser, EventTooLargeError

CAP = 1000


def parsed(*chunks: bytes, cap: int = CAP) -> list[bytes]:
    parser = EventParser(cap)
    events = [event for chunk in chunks for event in parser.feed(chunk)]
    return events + parser.finish()


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"data: a\n\ndata: b\n\n", [b"a", b"b"]),
        (b"data: a\r\n\r\ndata: b\r\n\r\n", [b"a", b"b"]),
        (b"data: a\r\rdata: b\r\r", [b"a", b"b"]),
        (b"data:a\n\n", [b"a"]),
        (b"data:  a \n\n", [b" a "]),
        (b"data: a\ndata: b\n\n", [b"a\nb"]),
        (b"data\n\n", [b""]),
        (b": ping\n\ndata: a\n\n", [b"a"]),
        (b"event: x\nid: 1\nretry: 5\ndata: a\n\n", [b"a"]),
        (b"event: x\n\n", []),
        (b"\xef\xbb\xbfdata: a\n\n", [b"a"]),
        (b"data: a", [b"a"]),
        (b"data: a\n", [b"a"]),
        (b"", []),
        (b"\n\n\n", []),
        ("data: \u2028\x85ü\n\n".encode(), ["\u2028\x85ü".encode()]),
    ],
)
def test_events_of_a_stream(stream: bytes, events: list[bytes]) -> None:
    assert parsed(stream) == events


def test_an_event_comes_as_soon_as_it_is_complete() -> None:
    parser = EventParser(CAP)
    assert parser.feed(b"data: a\r\n") == []
    assert parser.feed(b"\r") == [b"a"]
    assert parser.feed(b"\ndata: b\n") == []
    assert parser.feed(b"\n") == [b"b"]


LINE_END = st.sampled_from([b"\n", b"\r\n", b"\r"])
CONTENT = st.binary(max_size=20).map(lambda raw: raw.replace(b"\r", b"").replace(b"\n", b""))
LINE = st.builds(
    lambda prefix, content: prefix + content,
    st.sampled_from([b"data: ", b"data:", b"data", b": ", b"event: ", b"id: ", b""]),
    CONTENT,
)


@example(lines=[(b": ", b"\r"), (b"data: a", b"\n"), (b"data: b", b"\n")], cuts=[10])
@given(
    lines=st.lists(st.tuples(LINE, LINE_END), max_size=20),
    cuts=st.lists(st.integers(0, 500), max_size=30),
)
def test_splitting_the_bytes_anywhere_gives_the_same_events(lines: list[tuple[bytes, bytes]], cuts: list[int]) -> None:
    stream = b"".join(line + end for line, end in lines)
    places = sorted({min(cut, len(stream)) for cut in cuts})
    chunks = [stream[a:b] for a, b in zip([0, *places], [*places, len(stream)], strict=True)]
    assert parsed(*chunks) == parsed(stream) == parsed(*(stream[i : i + 1] for i in range(len(stream))))


@pytest.mark.parametrize(
    "chunks",
    [
        [b"data: " + b"x" * 2000 + b"\n\n"],
        [b"data: ", *([b"x" * 100] * 20)],
        [b"data: x\n" * 300],
        [b":" + b"x" * 2000],
    ],
)
def test_an_endless_event_is_refused(chunks: list[bytes]) -> None:
    with pytest.raises(EventTooLargeError):
        parsed(*chunks)


def test_the_cap_counts_each_event_for_itself() -> None:
    assert parsed((b"data: " + b"x" * 900 + b"\n\n") * 5) == [b"x" * 900] * 5
    assert parsed((b": " + b"x" * 900 + b"\n") * 5) == []
