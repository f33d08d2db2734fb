"""The router's HTTP client and TLS, names and addresses."""

from __future__ import annotations

import asyncio
import socket
import ssl

import pytest
import trustme
from router_http import HEAD, answering, body_of, client, on_both_loops, serving
from router_service import unused_port

from provider_router.adapters.http import dial
from provider_router.adapters.http.call import HttpCall
from provider_router.adapters.http.dial import Dialler
from shared.errors import NexusError

FULL = HEAD + b"Content-Length: 3\r\n\r\nabc"


def server_context(ca: trustme.CA, name: str = "localhost") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(name).configure_cert(context)
    return context


def trusting(ca: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    ca.configure_trust(context)
    return context


async def refused(call: HttpCall, trust: ssl.SSLContext | None = None, **limits: object) -> NexusError:
    async with client(trust, **limits) as made:
        with pytest.raises(NexusError) as caught:
            await body_of(made, call)
    assert caught.value.reason == "PROVIDER_UNREACHABLE"
    return caught.value


@on_both_loops
async def test_a_provider_with_a_trusted_certificate_is_called_by_its_name() -> None:
    ca, names = trustme.CA(), []
    context = server_context(ca)
    context.sni_callback = lambda _, name, __: names.append(name)
    async with serving(answering(FULL), context) as server, client(trusting(ca)) as made:
        for _ in range(3):
            assert await body_of(made, server.call(host="localhost")) == b"abc"
        assert [len(peer.requests) for peer in server.peers] == [3]
    assert names == ["localhost"]


@on_both_loops
async def test_a_big_body_and_a_big_answer_over_tls() -> None:
    ca = trustme.CA()
    answer = HEAD + b"Content-Length: 8000000\r\n\r\n" + b"x" * 8_000_000
    async with serving(answering(answer), server_context(ca)) as server, client(trusting(ca)) as made:
        assert await body_of(made, server.call(b"y" * 3_000_000, host="localhost")) == b"x" * 8_000_000
        assert server.requests[0].endswith(b"y" * 3_000_000)


@on_both_loops
async def test_a_certificate_for_another_name_is_not_trusted() -> None:
    ca = trustme.CA()
    async with serving(answering(FULL), server_context(ca, "elsewhere.test")) as server:
        error = await refused(server.call(host="localhost"), trusting(ca))
        assert "certificate is not trusted" in error.message
        assert server.requests == []


@on_both_loops
async def test_a_certificate_of_an_unknown_authority_is_not_trusted() -> None:
    async with serving(answering(FULL), server_context(trustme.CA())) as server:
        assert "certificate is not trusted" in (await refused(server.call(host="localhost"))).message
        assert server.requests == []


@on_both_loops
async def test_old_tls_is_not_spoken() -> None:
    ca = trustme.CA()
    context = server_context(ca)
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    async with serving(answering(FULL), context) as server:
        error = await refused(server.call(host="localhost"), trusting(ca))
        assert "no TLS connection" in error.message or "connection was lost" in error.message
        assert server.requests == []


def test_the_context_of_the_service_verifies_names_and_speaks_tls_1_2_at_least() -> None:
    context = Dialler(1)._context()
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


@on_both_loops
async def test_a_server_that_speaks_no_tls() -> None:
    async with serving(answering(FULL)) as server:
        server.scheme = "https"
        error = await refused(server.call(host="localhost"), connect_s=1)
    assert any(words in error.message for words in ("no TLS connection", "no connection in time"))


@on_both_loops
async def test_a_handshake_that_hangs_ends_with_the_time_to_connect() -> None:
    async def silent(peer: object) -> None:
        await asyncio.sleep(5)

    async with serving(silent) as server:
        server.scheme = "https"
        assert "no connection in time" in (await refused(server.call(host="localhost"), connect_s=0.1)).message


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://nobody.invalid/v1", "cannot be resolved"),
        ("http://a..b/v1", "its host name is none"),
        ("http://h:99999/v1", "cannot be sent"),
    ],
)
@on_both_loops
async def test_names_that_lead_nowhere(url: str, words: str) -> None:
    assert words in (await refused(HttpCall("p", url, {}))).message


@on_both_loops
async def test_nobody_listens() -> None:
    assert (
        "it refuses connections" in (await refused(HttpCall("p", f"http://127.0.0.1:{unused_port()}/v1", {}))).message
    )


def resolving(monkeypatch: pytest.MonkeyPatch, *addresses: tuple[str, int]) -> None:
    """Makes every name stand for `addresses`."""

    async def found(self: Dialler, origin: object) -> list[dial._Address]:
        return [(socket.AF_INET, address) for address in addresses]

    monkeypatch.setattr(Dialler, "_addresses", found)


@on_both_loops
async def test_the_next_address_is_tried_when_one_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(answering(FULL)) as server, client() as made:
        resolving(monkeypatch, ("127.0.0.1", unused_port()), ("127.0.0.1", unused_port()), ("127.0.0.1", server.port))
        assert await body_of(made, server.call(host="acme.test")) == b"abc"


@on_both_loops
async def test_the_next_address_is_tried_beside_one_that_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        # Fills its queue, so that a further connection waits for ever.
        crowd = [socket.socket() for _ in range(4)]
        for each in crowd:
            each.setblocking(False)
            each.connect_ex(deaf.getsockname())
        monkeypatch.setattr(dial, "_HEAD_START_S", 0.05)
        async with serving(answering(FULL)) as server, client() as made:
            resolving(monkeypatch, deaf.getsockname(), ("127.0.0.1", server.port))
            assert await body_of(made, server.call(host="acme.test")) == b"abc"
        for each in crowd:
            each.close()


@on_both_loops
async def test_when_no_address_answers_the_first_ones_error_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    resolving(monkeypatch, ("127.0.0.1", unused_port()), ("127.0.0.1", unused_port()))
    call = HttpCall("p", "http://acme.test/v1", {}, is_private=True)
    assert "it refuses connections" in (await refused(call)).message


def test_families_take_turns() -> None:
    six, four = socket.AF_INET6, socket.AF_INET
    mixed = [(six, 1), (six, 2), (six, 3), (four, 4), (four, 5)]
    assert [number for _, number in dial._by_turns(mixed)] == [1, 4, 2, 5, 3]
