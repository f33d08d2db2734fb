from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from uncollected import ours, uncollected

from provider_router.adapters.http.answer_parser import AnswerParser, MalformedHttpError
from provider_router.adapters.http.server_sent_events import EventParser
from provider_router.adapters.openai.decoder import OpenAIDecoder

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"


def parsed(*pieces: bytes, closed: bool = False) -> tuple[int, bytes, bool, bool]:
    """Status, body, whether it is complete, whether its connection may be used again."""
    parser = AnswerParser()
    for piece in pieces:
        parser.feed(piece)
    if closed:
        parser.end()
    return parser.status, parser.take(), parser.is_complete, parser.is_reusable


@pytest.mark.parametrize(
    ("raw", "body", "reusable"),
    [
        (OK + b"Content-Length: 3\r\n\r\nabc", b"abc", True),
        (OK + b"Content-Length: 0\r\n\r\n", b"", True),
        (OK + CHUNKED + b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n", b"abcde", True),
        (OK + CHUNKED + b"3\r\nabc\r\n0\r\nX: y\r\n\r\n", b"abc", True),
        (OK + b"Connection: close\r\nContent-Length: 3\r\n\r\nabc", b"abc", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc", b"abc", False),
        (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\nabc", b"abc", True),
        (
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\n" + OK + b"Content-Length: 1\r\n\r\na",
            b"a",
            True,
        ),
    ],
)
def test_an_answer_that_ends_by_itself(raw: bytes, body: bytes, reusable: bool) -> None:
    assert parsed(raw) == (200, body, True, reusable)
    assert parsed(*(raw[i : i + 1] for i in range(len(raw)))) == (200, body, True, reusable)


def test_the_headers_of_interim_answers_and_trailers_are_not_those_of_the_answer() -> None:
    parser = AnswerParser()
    parser.feed(
        b"HTTP/1.1 103 Hints\r\nX-A: hint\r\n\r\n" + OK + b"X-B: head\r\n" + CHUNKED + b"0\r\nX-C: trailer\r\n\r\n"
    )
    assert (parser.header(b"x-a"), parser.header(b"x-b"), parser.header(b"x-c")) == ("", "head", "")


def test_an_answer_without_a_length_ends_with_its_connection() -> None:
    raw = OK + b"\r\nabc"
    assert parsed(raw) == (200, b"abc", False, False)
    assert parsed(raw, closed=True) == (200, b"abc", True, False)


def test_who_knows_that_its_connection_is_closed_leaves_nothing_to_the_collector() -> None:
    with uncollected() as left:
        parsed(OK + b"Content-Length: 3\r\n\r\nabc", closed=True)
    assert ours(left) == []


@pytest.mark.parametrize(
    "raw",
    [b"", OK, OK + b"Content-Length: 3\r\n\r\nab", OK + CHUNKED + b"3\r\nabc\r\n", OK + CHUNKED + b"3\r\nabc\r\n0\r\n"],
)
def test_an_answer_that_is_cut_is_never_complete(raw: bytes) -> None:
    assert not parsed(raw, closed=True)[2]


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
        b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
        b"Content-Length: 3, 3\r\n\r\nabc",
        b"Content-Length: +3\r\n\r\nabc",
        b"Content-Length: -3\r\n\r\nabc",
        b"Content-Length: 0x3\r\n\r\nabc",
        b"Content-Length: 99999999999999999999999\r\n\r\nabc",
        b"Content-Length: \r\n\r\nabc",
        b"Content-Length : 3\r\n\r\nabc",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: identity\r\n\r\nabc",
        b"Content-Type: a\r\nContent-Type: b\r\nContent-Length: 0\r\n\r\n",
        b"X: a\r\n b\r\nContent-Length: 0\r\n\r\n",
        b"X: a\0b\r\nContent-Length: 0\r\n\r\n",
        b": a\r\nContent-Length: 0\r\n\r\n",
        CHUNKED + b"3x\r\nabc\r\n0\r\n\r\n",
        CHUNKED + b"-3\r\nabc\r\n0\r\n\r\n",
        CHUNKED + b"fffffffffffffffff\r\nabc\r\n0\r\n\r\n",
        CHUNKED + b"3\r\nabc\r\n0\r\nContent-Length: 7\r\n\r\n",
        CHUNKED + b"3\r\nabcd\r\n0\r\n\r\n",
    ],
)
def test_an_answer_whose_end_could_be_disputed_is_refused(head: bytes) -> None:
    with pytest.raises(MalformedHttpError):
        parsed(OK + head)


@pytest.mark.parametrize(
    "raw",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"<html>",
        b"HTTP/1.1 099 X\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 1000 X\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
    ],
)
def test_what_is_no_answer_is_refused(raw: bytes) -> None:
    with pytest.raises(MalformedHttpError):
        parsed(raw)


@pytest.mark.parametrize("surplus", [b"x", OK + b"Content-Length: 0\r\n\r\n", b"\r\nHTTP"])
def test_what_comes_after_an_answer_spoils_its_connection_and_not_the_answer(surplus: bytes) -> None:
    raw = OK + b"Content-Length: 3\r\n\r\nabc"
    assert parsed(raw + surplus) == (200, b"abc", True, False)
    assert parsed(raw, surplus) == (200, b"abc", True, False)


@pytest.mark.parametrize(
    "endless",
    [
        OK + b"X-Long: " + b"x" * 100_000,
        OK + b"X: y\r\n" * 20_000,
        b"HTTP/1.1 103 Hints\r\n\r\n" * 5_000,
        OK + CHUNKED + b"1\r\na\r\n0\r\nX: " + b"x" * 100_000,
        OK + CHUNKED + b"1;" + b"x" * 100_000,
    ],
    ids=["one header", "headers", "interim answers", "trailer", "chunk extension"],
)
def test_what_is_no_body_is_bounded(endless: bytes) -> None:
    with pytest.raises(MalformedHttpError):
        parsed(*(endless[i : i + 1000] for i in range(0, len(endless), 1000)))


def test_many_small_chunks_are_no_excess() -> None:
    raw = OK + CHUNKED + b"1\r\na\r\n" * 100_000 + b"0\r\n\r\n"
    assert parsed(*(raw[i : i + 1000] for i in range(0, len(raw), 1000))) == (200, b"a" * 100_000, True, True)


def framed(body: list[bytes], way: str) -> bytes:
    whole = b"".join(body)
    match way:
        case "length":
            return OK + b"Content-Length: %d\r\n\r\n%b" % (len(whole), whole)
        case "chunks":
            pieces = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in body if piece)
            return OK + CHUNKED + pieces + b"0\r\n\r\n"
        case _:
            return OK + b"\r\n" + whole


@example(body=[b"data: x\n\n"], way="chunks", cuts=[18, 19, 20, 46, 47, 48, 49], again=True)
@given(
    body=st.lists(st.binary(max_size=30), max_size=6),
    way=st.sampled_from(["length", "chunks", "close"]),
    cuts=st.lists(st.integers(0, 300), max_size=20),
    again=st.booleans(),
)
def test_bytes_that_are_split_anywhere_give_the_same_answer(
    body: list[bytes], way: str, cuts: list[int], again: bool
) -> None:
    raw = framed(body, way)
    pieces = cut(raw, cuts)
    parser = AnswerParser()
    for _ in range(2 if again and way != "close" else 1):
        parser.expect()
        for piece in pieces:
            parser.feed(piece)
        if way == "close":
            parser.end()
        assert (parser.status, parser.take(), parser.is_complete) == (200, b"".join(body), True)
        assert parser.is_reusable == (way != "close")


@given(st.binary(max_size=200))
def test_any_bytes_are_taken_or_refused(raw: bytes) -> None:
    for prefix in (b"", OK, OK + CHUNKED):
        try:
            parsed(prefix + raw, closed=True)
        except MalformedHttpError:
            continue


STREAM = (
    b': ping\r\n\r\ndata: {"choices":[{"index":0,"delta":{"content":"Gr\xc3\xbc\xc3\x9fe \xf0\x9f\x8c\x8d"}}]}\n\n'
    b'event: x\ndata: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"add",'
    b'"arguments":"{\\"x\\""}}]}}]}\r\n\r\n'
    b'data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":": 1}"}}]}}]}\n\n'
    b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}\n\ndata: [DONE]\n\n'
)


def cut(raw: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({min(place, len(raw)) for place in cuts})
    return [raw[a:b] for a, b in zip([0, *places], [*places, len(raw)], strict=True)]


def decoded(chunks: list[bytes], packets: list[int]) -> list[object]:
    """What a model says, whose stream is sent in `chunks` and comes in packets that end at those places."""
    answer, events, decoder = AnswerParser(), EventParser(10_000), OpenAIDecoder("p")
    found: list[object] = []
    for packet in cut(framed(chunks, "chunks"), packets):
        answer.feed(packet)
        found += [event for data in events.feed(answer.take()) for event in decoder.decode(data)]
    assert answer.is_complete
    assert decoder.is_done
    return [*found, decoder.end()]


PLACES = st.lists(st.integers(0, 900), max_size=30)


@given(chunks=PLACES, packets=PLACES)
def test_a_stream_that_is_split_anywhere_says_the_same(chunks: list[int], packets: list[int]) -> None:
    assert decoded(cut(STREAM, chunks), packets) == decoded([STREAM], [])
