from __future__ import annotations

import pytest

from provider_router.adapters.http.call import HttpCall
from provider_router.adapters.http.request_heads import Origin, RequestHead, RequestHeads

KEY = "sk-test-0123456789"


def head(url: str, method: str = "POST", **headers: str) -> RequestHead:
    return RequestHeads().of(method, HttpCall("p", url, headers), "application/json")


def lines(made: RequestHead, size_bytes: int = 7) -> list[bytes]:
    return made.with_length(size_bytes).split(b"\r\n")


def test_a_post_says_its_length_last_and_asks_for_plain_bytes() -> None:
    made = lines(head("https://api.acme.test/v1/chat", Authorization=f"Bearer {KEY}"))
    assert made[0] == b"POST /v1/chat HTTP/1.1"
    assert made[-3:] == [b"Content-Length: 7", b"", b""]
    assert {b"Host: api.acme.test", b"Accept-Encoding: identity", f"Authorization: Bearer {KEY}".encode()} <= set(made)


def test_a_get_has_no_body() -> None:
    made = head("http://h/models", "GET")
    assert made.with_length(0).endswith(b"\r\n\r\n")
    assert b"Content-" not in made.with_length(0)


@pytest.mark.parametrize(
    ("url", "origin", "host"),
    [
        ("https://api.acme.test/v1", Origin("api.acme.test", 443, is_tls=True), b"api.acme.test"),
        ("http://API.acme.test:8080/v1", Origin("api.acme.test", 8080, is_tls=False), b"api.acme.test:8080"),
        ("http://[::1]:8000/v1", Origin("::1", 8000, is_tls=False), b"[::1]:8000"),
        ("http://münchen.test/v1", Origin("xn--mnchen-3ya.test", 80, is_tls=False), b"xn--mnchen-3ya.test"),
    ],
)
def test_where_it_goes(url: str, origin: Origin, host: bytes) -> None:
    made = head(url)
    assert made.origin == origin
    assert b"Host: " + host in lines(made)


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("", b"/"),
        ("/a b", b"/a%20b"),
        ("/ü", b"/%C3%BC"),
        ("/a%20b", b"/a%20b"),
        ("/deployments/m:1@x", b"/deployments/m:1@x"),
    ],
)
def test_a_path_is_sent_in_characters_that_it_may_have(path: str, sent: bytes) -> None:
    assert lines(head(f"http://h{path}"))[0] == b"POST " + sent + b" HTTP/1.1"


@pytest.mark.parametrize("value", ["x\r\nHost: evil", "x\n", "x\0", "x\x7f", "ü", "x\r\n\r\nGET / HTTP/1.1"])
def test_a_value_that_would_end_its_header_is_refused_without_showing_it(value: str) -> None:
    with pytest.raises(ValueError, match="characters") as caught:
        head("http://h/v1", Authorization=f"Bearer {KEY}{value}")
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("name", ["x y", "x:", "x\r\ny", "", "ü"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="characters"):
        head("http://h/v1", **{name: "x"})


@pytest.mark.parametrize("url", ["http://" + "x" * 64 + ".test/v1", "http://a..b/v1"])
def test_a_host_name_that_is_none(url: str) -> None:
    with pytest.raises(UnicodeError):
        head(url)


def test_a_head_is_made_once_for_an_address_and_a_key() -> None:
    heads = RequestHeads()

    def of(key: str, url: str = "http://h/v1", accept: str = "text/event-stream") -> RequestHead:
        return heads.of("POST", HttpCall("p", url, {"Authorization": key}), accept)

    assert of("a") is of("a")
    assert b"Authorization: b" in lines(of("b"))
    assert b"Accept: application/json" in lines(of("a", accept="application/json"))
    assert lines(of("a", "http://h/v2"))[0] == b"POST /v2 HTTP/1.1"
    assert lines(of("a", "http://i/v1"))[1] == b"Host: i"


def test_old_keys_do_not_pile_up() -> None:
    heads = RequestHeads()
    for number in range(2000):
        heads.of("POST", HttpCall("p", "http://h/v1", {"Authorization": str(number)}), "x")
    assert len(heads._kept) <= 512


def test_no_representation_shows_the_key() -> None:
    call = HttpCall("p", "http://h/v1", {"Authorization": f"Bearer {KEY}"}, f"body {KEY}".encode())
    assert KEY not in f"{call!r} {RequestHeads().of('POST', call, 'x')!r}"
