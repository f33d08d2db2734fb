"""The router's HTTP client over real sockets: time, memory, and who leaves."""

from __future__ import annotations

import asyncio
import gzip
import time
import zlib
from collections.abc import Callable

import pytest
from router_http import (
    HEAD,
    JSON_HEAD,
    KEY,
    Peer,
    answering,
    body_of,
    chunk,
    client,
    eventually,
    on_both_loops,
    serving,
)

from provider_router.adapters.http.answer_body import read_at_most
from provider_router.adapters.http.call import HttpFault
from provider_router.adapters.http.chat_stream import Terms, whole_answer
from provider_router.adapters.http.client import StreamedAnswer
from provider_router.adapters.openai.whole import decode_whole
from provider_router.domain.calls.call_limits import CallLimits
from shared.errors import NexusError

CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
MIB = 1024 * 1024


@pytest.mark.parametrize(
    "sent", [b"", HEAD, CHUNKED, CHUNKED + chunk(b"abc")], ids=["silent", "head", "chunked", "body"]
)
@on_both_loops
async def test_a_call_that_is_cancelled_reaches_the_provider_within_100_ms(sent: bytes) -> None:
    left: list[float] = []

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(sent)
        await peer.gone()
        left.append(time.monotonic())

    async with serving(script) as server, client() as made:
        call = asyncio.ensure_future(body_of(made, server.call()))
        await eventually(lambda: len(server.requests) == 1)
        await asyncio.sleep(0.02)
        began = time.monotonic()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await eventually(lambda: bool(left))
        assert left[0] - began < 0.1


@on_both_loops
async def test_a_big_body_waits_outside_of_the_socket_and_is_dropped_at_once_when_its_call_is_cancelled() -> None:
    async def script(peer: Peer) -> None:
        peer.writer.transport.pause_reading()
        await asyncio.sleep(30)

    async with serving(script) as server, client() as made:
        call = asyncio.ensure_future(body_of(made, server.call(b"x" * 64 * MIB)))
        (pool,) = await found(lambda: list(made._pools.values()))
        (connection,) = await found(lambda: list(pool._open))
        await asyncio.sleep(0.1)
        transport = connection._transport
        assert transport.get_write_buffer_size() < MIB
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        # Though the provider takes nothing more.
        await eventually(lambda: connection._transport is None, within_s=1)


async def found(look: Callable[[], list]) -> list:
    await eventually(lambda: bool(look()))
    return look()


@on_both_loops
async def test_a_slow_reader_slows_the_provider_down() -> None:
    sent: list[int] = []

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(CHUNKED)
        for _ in range(64):
            await peer.send(chunk(b"x" * MIB))
            sent.append(MIB)
        await peer.send(b"0\r\n\r\n")

    async with serving(script) as server, client() as made:
        answer = await made.streamed(server.call())
        await asyncio.sleep(0.3)
        # What the kernel's buffers and the client's hold, and no more.
        waiting = sum(sent)
        assert waiting < 24 * MIB
        assert answer._connection.answer.size_bytes <= MIB
        got = 0
        while part := await answer.read():
            got += len(part)
            answer.progressed()
        answer.close()
        assert got == 64 * MIB


@on_both_loops
async def test_a_reader_who_was_slow_still_gets_what_is_there() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(CHUNKED + chunk(b"abc"))
        await asyncio.sleep(0.05)
        await peer.send(chunk(b"def") + b"0\r\n\r\n")
        await peer.gone()

    async with serving(script) as server, client(idle_s=0.1) as made:
        answer = await made.streamed(server.call())
        assert await answer.read() == b"abc"
        answer.progressed()
        await asyncio.sleep(0.2)
        assert await answer.read() == b"def"
        answer.close()


@on_both_loops
async def test_pings_that_never_stop_are_no_progress() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(CHUNKED)
        while True:
            await peer.send(chunk(b": ping\n\n"))
            await asyncio.sleep(0)

    async with serving(script) as server, client(first_token_s=0.2) as made:
        answer = await made.streamed(server.call())
        began = time.monotonic()
        with pytest.raises(HttpFault) as caught:
            await read_at_most(answer.read, MIB)
        answer.close()
        assert caught.value.reason == "PROVIDER_TIMEOUT"
        assert 0.1 < time.monotonic() - began < 4


@on_both_loops
async def test_an_endless_answer_ends_although_its_reader_never_waits_for_it() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(CHUNKED)
        while True:
            await peer.send(chunk(b"x" * 65536))

    async def read_slowly(answer: StreamedAnswer) -> None:
        while await answer.read():
            answer.progressed()
            await asyncio.sleep(0.01)

    async with serving(script) as server, client(total_s=0.3) as made:
        answer = await made.streamed(server.call())
        with pytest.raises(HttpFault) as caught:
            await asyncio.wait_for(read_slowly(answer), 5)
        answer.close()
        assert caught.value.reason == "PROVIDER_TIMEOUT"


@pytest.mark.parametrize(
    ("script_sends", "limits"),
    [
        ([], {"first_token_s": 0.3}),
        ([HEAD], {"first_token_s": 0.3}),
        ([CHUNKED], {"first_token_s": 0.3}),
        ([CHUNKED + chunk(b"abc")], {"idle_s": 0.3}),
        ([CHUNKED + chunk(b"abc")], {"total_s": 0.3}),
    ],
    ids=["before the head", "within the head", "before the first piece", "between pieces", "in all"],
)
@on_both_loops
async def test_each_limit_of_time(script_sends: list[bytes], limits: dict[str, float]) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(*script_sends)
        await peer.gone()

    async with serving(script) as server, client(**limits) as made:
        began = time.monotonic()
        with pytest.raises((NexusError, HttpFault)) as caught:
            await body_of(made, server.call())
        assert caught.value.reason == "PROVIDER_TIMEOUT"
        assert 0.25 < time.monotonic() - began < 4
        await eventually(server.peers[0].writer.transport.is_closing)


@on_both_loops
async def test_a_big_body_is_sent_as_the_provider_takes_it_and_comes_whole() -> None:
    body = bytes(range(256)) * 4096 * 8
    async with (
        serving(answering(JSON_HEAD + b"Content-Length: 2\r\n\r\n{}")) as server,
        client() as made,
    ):
        for _ in range(2):
            assert await made.whole(server.call(body)) == b"{}"
        assert [request.endswith(b"\r\n\r\n" + body) for request in server.requests] == [True, True]
        assert len(server.peers) == 1


@on_both_loops
async def test_an_answer_that_comes_before_the_whole_body_was_sent_is_taken_and_its_connection_is_not() -> None:
    async def early(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        peer.requests.append(b"")
        await peer.send(b"HTTP/1.1 413 Too Large\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
        await asyncio.sleep(5)

    async with serving(early) as server, client() as made:
        for _ in range(2):
            with pytest.raises(NexusError) as caught:
                await made.whole(server.call(b"x" * 64 * MIB))
            assert caught.value.reason == "CONTEXT_TOO_LONG"
        assert [len(peer.requests) for peer in server.peers] == [1, 1]


@on_both_loops
async def test_a_connection_whose_request_was_not_sent_whole_is_not_used_again() -> None:
    async def early(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        peer.requests.append(b"")
        await peer.send(JSON_HEAD + b"Content-Length: 2\r\n\r\n{")
        # Takes what was written, so that nothing waits to be written any more.
        taking = asyncio.ensure_future(peer.gone())
        await asyncio.sleep(0.2)
        await peer.send(b"}")
        await taking

    async with serving(early) as server, client() as made:
        for _ in range(2):
            assert await made.whole(server.call(b"x" * 64 * MIB)) == b"{}"
        assert [len(peer.requests) for peer in server.peers] == [1, 1]


@on_both_loops
async def test_a_small_request_is_one_write() -> None:
    pieces: list[bytes] = []

    async def script(peer: Peer) -> None:
        pieces.append(await peer.reader.read(1 << 16))
        await peer.send(HEAD + b"Content-Length: 0\r\n\r\n")

    async with serving(script) as server, client() as made:
        await body_of(made, server.call(b'{"a": 1}'))
    assert pieces[0].startswith(b"POST /v1/chat HTTP/1.1\r\n")
    assert pieces[0].endswith(b'\r\n\r\n{"a": 1}')


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
        + CHUNKED
        + chunk(b"abc")
        + b"0\r\n\r\n",
        HEAD + b"Content-Length: 3\r\n\r\nabc",
        HEAD + b"\r\nabc",
        HEAD + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(b"abc", mtime=0),
        HEAD + b"Content-Encoding: deflate\r\n\r\n" + zlib.compress(b"abc"),
    ],
    ids=["interim answers", "length", "until it closes", "gzip", "deflate"],
)
@on_both_loops
async def test_bodies_of_every_kind_split_anywhere(answer: bytes) -> None:
    async def script(peer: Peer) -> None:
        request = await peer.request()
        cut = int(request[-3:])
        await peer.send(answer[:cut])
        await asyncio.sleep(0.001)
        await peer.send(answer[cut:])

    async with serving(script) as server, client() as made:
        bodies = [await body_of(made, server.call(b"%03d" % cut)) for cut in range(1, len(answer), 3)]
    assert set(bodies) == {b"abc"}


@pytest.mark.parametrize("coding", [b"br", b"zstd", b"gzip, gzip"])
@on_both_loops
async def test_a_coding_that_nobody_asked_for_is_refused(coding: bytes) -> None:
    answer = HEAD + b"Content-Encoding: " + coding + b"\r\nContent-Length: 3\r\n\r\nabc"
    async with serving(answering(answer)) as server, client() as made:
        with pytest.raises(NexusError) as caught:
            await body_of(made, server.call())
    assert caught.value.reason == "PROVIDER_BAD_RESPONSE"


@pytest.mark.parametrize("cut", [10, -4])
@on_both_loops
async def test_a_compressed_body_that_is_cut_or_wrong_is_no_answer(cut: int) -> None:
    packed = gzip.compress(b"abc" * 100, mtime=0)[:cut]
    answer = JSON_HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b" % (len(packed), packed)
    async with serving(answering(answer)) as server, client() as made:
        with pytest.raises(NexusError) as caught:
            await made.whole(server.call())
    assert caught.value.reason == "PROVIDER_BAD_RESPONSE"


@pytest.mark.parametrize("rest", [gzip.compress(b"} and more", mtime=0), b"x" * 1000])
@on_both_loops
async def test_what_follows_a_compressed_body_is_not_passed_over(rest: bytes) -> None:
    packed = gzip.compress(b"{}", mtime=0) + rest
    answer = JSON_HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b" % (len(packed), packed)
    async with serving(answering(answer)) as server, client() as made:
        with pytest.raises(NexusError, match="beyond its end"):
            await made.whole(server.call())


@on_both_loops
async def test_a_body_is_bounded_compressed_or_not() -> None:
    bomb = gzip.compress(b" " * 64 * MIB, mtime=0)
    plain = JSON_HEAD + b"Content-Length: 2000000\r\n\r\n" + b" " * 2_000_000
    packed = JSON_HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b" % (len(bomb), bomb)
    for answer in (plain, packed):
        async with serving(answering(answer)) as server, client(body_bytes=MIB) as made:
            with pytest.raises(NexusError) as caught:
                await made.whole(server.call())
        assert (caught.value.reason, "too large" in caught.value.message) == ("PROVIDER_BAD_RESPONSE", True)


@on_both_loops
async def test_an_answer_of_millions_of_values_is_not_parsed() -> None:
    body = b'{"choices":[{"message":{"content":"x"}}],"x":[' + b"[]," * MIB + b"[]]}"
    answer = JSON_HEAD + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
    async with serving(answering(answer)) as server, client() as made:
        with pytest.raises(NexusError, match="too many values"):
            [event async for event in whole_answer(made, server.call(), decode_whole("p"), Terms())]


@on_both_loops
async def test_what_a_few_bytes_stand_for_comes_in_pieces() -> None:
    bomb = gzip.compress(b" " * 8 * MIB, mtime=0)
    async with (
        serving(
            answering(HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b" % (len(bomb), bomb))
        ) as server,
        client() as made,
    ):
        answer = await made.streamed(server.call())
        sizes: list[int] = []
        while part := await answer.read():
            sizes.append(len(part))
        answer.close()
    assert (sum(sizes), max(sizes) <= MIB // 4) == (8 * MIB, True)


@on_both_loops
async def test_others_work_while_a_few_bytes_become_many() -> None:
    packed = gzip.compress(b"x" * 64 * MIB, mtime=0)
    answer = HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b" % (len(packed), packed)
    turns = pieces = 0

    async def work() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    async with serving(answering(answer)) as server, client() as made:
        streamed = await made.streamed(server.call())
        # All of it is there, so that nothing but the making of it may take time.
        await asyncio.sleep(0.2)
        working = asyncio.create_task(work())
        while await streamed.read():
            pieces += 1
        working.cancel()
        streamed.close()
    assert pieces >= 256
    assert turns >= pieces - 2


@on_both_loops
async def test_packed_pings_that_never_stop_are_no_progress() -> None:
    packer = zlib.compressobj(wbits=31)
    begin = packer.compress(b": ping\n\n") + packer.flush(zlib.Z_FULL_FLUSH)
    pings = packer.compress(b": ping\n\n" * MIB) + packer.flush(zlib.Z_FULL_FLUSH)

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(HEAD + b"Content-Encoding: gzip\r\n\r\n", begin)
        while True:
            await peer.send(pings)
            await asyncio.sleep(0)

    async with serving(script) as server, client(first_token_s=0.3) as made:
        began = time.monotonic()
        streamed = await made.streamed(server.call())
        with pytest.raises(HttpFault) as caught:
            await read_at_most(streamed.read, 1000 * MIB)
        streamed.close()
    assert caught.value.reason == "PROVIDER_TIMEOUT"
    assert time.monotonic() - began < 4


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 403 No\r\nContent-Length: 99\r\n\r\n" + b'{"error": {"message": "Your prompt was fl',
        b"HTTP/1.1 403 No\r\nContent-Encoding: br\r\nContent-Length: 2\r\n\r\nab",
    ],
    ids=["cut", "coded"],
)
@on_both_loops
async def test_words_that_are_not_heard_retire_no_key(answer: bytes) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(answer)

    async with serving(script) as server, client() as made:
        with pytest.raises(NexusError) as caught:
            await body_of(made, server.call())
    assert caught.value.reason == "PROVIDER_ERROR"


@on_both_loops
async def test_nobody_waits_long_for_the_words_of_an_error() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 429 No\r\nRetry-After: 3\r\nContent-Length: 99\r\n\r\n{")
        await peer.gone()

    async with serving(script) as server, client(first_token_s=15) as made:
        began = time.monotonic()
        with pytest.raises(NexusError) as caught:
            await body_of(made, server.call())
    assert (caught.value.reason, caught.value.retry_after_s) == ("PROVIDER_RATE_LIMITED", 3.0)
    assert time.monotonic() - began < 8


@on_both_loops
async def test_the_body_of_an_error_is_bounded_and_its_status_counts() -> None:
    endless = b"HTTP/1.1 401 No\r\nContent-Type: application/json\r\n\r\n" + b"x" * 3_000_000
    async with serving(answering(endless)) as server, client() as made:
        with pytest.raises(NexusError) as caught:
            await body_of(made, server.call())
        assert caught.value.reason == "PROVIDER_REFUSED_KEY"
        assert KEY not in f"{caught.value!r} {caught.value.message} {caught.value.__cause__!r}"


@on_both_loops
async def test_a_reset_in_the_middle_is_no_end() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(CHUNKED + chunk(b"abc"))
        await asyncio.sleep(0.02)

    async with serving(script) as server, client() as made:
        with pytest.raises(HttpFault) as caught:
            await body_of(made, server.call())
    assert caught.value.reason in {"PROVIDER_BAD_RESPONSE", "PROVIDER_UNREACHABLE"}


@pytest.mark.parametrize("coding", [b"", b"Content-Encoding: gzip\r\n"], ids=["plain", "packed"])
@on_both_loops
async def test_a_whole_answer_that_pauses_within_its_body_is_given_up_like_a_stream(coding: bytes) -> None:
    body = gzip.compress(b'{"choices": []}', mtime=0) if coding else b'{"choices": []}'

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(JSON_HEAD + coding + b"Content-Length: %d\r\n\r\n" % len(body), body[:8])
        await peer.gone()

    async with serving(script) as server, client() as made:
        began = time.monotonic()
        with pytest.raises(NexusError) as caught:
            await made.whole(server.call(), CallLimits(10_000, 100, 10_000))
    assert caught.value.reason == "PROVIDER_TIMEOUT"
    assert time.monotonic() - began < 3


@on_both_loops
async def test_a_whole_answer_that_keeps_coming_is_waited_for_within_its_time() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await asyncio.sleep(0.4)
        await peer.send(JSON_HEAD + b"Content-Length: 6\r\n\r\n")
        for _ in range(6):
            await asyncio.sleep(0.08)
            await peer.send(b"x")

    async with serving(script) as server, client() as made:
        assert await made.whole(server.call(), CallLimits(100, 300, 10_000)) == b"xxxxxx"
        with pytest.raises(NexusError) as caught:
            await made.whole(server.call(), CallLimits(100, 300, 600))
    assert caught.value.reason == "PROVIDER_TIMEOUT"
