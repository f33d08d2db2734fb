"""URLs that somebody hostile wrote."""

from __future__ import annotations

import pytest

from tool_executor.adapters.web.address import address_of, joined
from tool_executor.adapters.web.web_gate_own import OwnServerWebGate
from tool_executor.adapters.web.web_gate_public import PublicWebGate
from tool_executor.domain.web_exchange import WebFailure, WebFault

GATE = PublicWebGate(frozenset({80, 443}))


async def admitted(url: str) -> str:
    address = address_of(url)
    await GATE.admit(address)
    return address.url


@pytest.mark.parametrize(
    ("url", "read"),
    [
        ("https://example.com", "https://example.com"),
        ("HTTPS://Example.COM/A?b=c#d", "https://example.com/A?b=c"),
        ("https://example.com./", "https://example.com/"),
        ("https://example.com:443/", "https://example.com/"),
        ("http://8.8.8.8/x", "http://8.8.8.8/x"),
        ("http://[2606:4700:4700::1111]/", "http://[2606:4700:4700::1111]/"),
        ("https://b\u00fccher.example/\u00e9?q=\u00fc", "https://xn--bcher-kva.example/%C3%A9?q=%C3%BC"),
        ("https://a_b.example/x/../y", "https://a_b.example/y"),
        ("https://1e100.net/", "https://1e100.net/"),
        ("https://example.com/p@th?u=a@b%20c", "https://example.com/p@th?u=a@b%20c"),
    ],
)
async def test_addresses_of_the_web_are_read(url: str, read: str) -> None:
    assert await admitted(url) == read


@pytest.mark.parametrize(
    "url",
    [
        # No such scheme, or none.
        *("", "example.com", "//example.com/", "ftp://example.com/", "file:///etc/passwd", "gopher://example.com/"),
        *(
            "data:text/html,x",
            "javascript:alert(1)",
            "https:/example.com",
            "https:example.com",
            "https:///x",
            "http://",
        ),
        # Credentials, and what some take for such.
        *("https://user@example.com/", "https://u:p@example.com/", "https://@example.com/"),
        *("https://example.com@127.0.0.1/", "https://example.com%40127.0.0.1/", "https://example.com:80@127.0.0.1/"),
        # What programs do not agree on.
        *("https://example.com\\@127.0.0.1/", "https://127.0.0.1\\.example.com/", "https://exa mple.com/"),
        *("https://example.com\t/", "https://exam\nple.com/", " https://example.com/", "https://example.com/a b"),
        *("https://example.com/\x00", "https://example.com\r\nHost: inside/", "https://%31%32%37.0.0.1/"),
        *("https://127%2e0%2e0%2e1/", "https://ex%00ample.com/", "https://\u00a0example.com/"),
        # Numbers that stand for addresses.
        *("http://127.1/", "http://2130706433/", "http://0x7f000001/", "http://0x7f.1/", "http://0177.0.0.1/"),
        *("http://017700000001/", "http://127.0.1/", "http://0/", "http://1.2.3.4.5/", "http://256.1.1.1/"),
        *("http://010.8.8.8/", "http://8.8.8.08/", "http://a.1/", "http://x.0x7f/"),
        # Addresses that are not of the internet, however they are written.
        *("http://127.0.0.1/", "http://127.255.255.254/", "http://0.0.0.0/", "http://10.0.0.1/", "http://172.16.0.1/"),
        *("http://192.168.1.1/", "http://169.254.169.254/latest/meta-data/", "http://100.64.0.1/"),
        *("http://100.100.100.200/", "http://168.63.129.16/", "http://224.0.0.1/", "http://255.255.255.255/"),
        *("http://[::1]/", "http://[::]/", "http://[fe80::1]/", "http://[fe80::1%25eth0]/", "http://[fd00:ec2::254]/"),
        *(
            "http://[::ffff:127.0.0.1]/",
            "http://[::ffff:7f00:1]/",
            "http://[::127.0.0.1]/",
            "http://[64:ff9b::7f00:1]/",
        ),
        *("http://[2002:7f00:1::]/", "http://[2001:0:101:101::80ff:fffe]/", "http://[ff02::1]/", "http://[fec0::1]/"),
        *("http://[::1", "http://[v1.x]/", "http://[::1]x/", "http://::1/"),
        "http://\uff11\uff12\uff17.0.0.1/",
        "http://127\u30020\u30020\u30021/",
        "http://\u2460\u2461\u2466.0.0.1/",
        # Names of private networks.
        *("http://localhost/", "http://LOCALHOST./", "http://a.localhost/", "http://redis/", "http://db.internal/"),
        *("http://metadata.google.internal/", "http://printer.local/", "http://nas.lan/", "http://x.home.arpa/"),
        *("http://metadata/", "http://loc\u00adalhost/"),
        # No hosts.
        *(
            "https://a..b/",
            "https://.example.com/",
            "https://example.com../",
            "https://-a.example/",
            "https://a*.example/",
        ),
        *("https://" + "a" * 64 + ".example/", "https://" + "a." * 130 + "example/", "https://a,b.example/"),
        # Ports.
        *("https://example.com:0/", "https://example.com:65536/", "https://example.com:x/", "https://example.com:22/"),
        *("http://example.com:6379/", "https://example.com:-1/", "https://example.com:8080/"),
        "https://example.com/" + "a" * 2_048,
    ],
)
async def test_every_other_address_is_refused_before_anything_is_looked_up(url: str) -> None:
    with pytest.raises(WebFailure) as caught:
        await admitted(url)
    assert caught.value.fault is WebFault.REFUSED


@pytest.mark.parametrize(
    ("target", "read"),
    [
        ("/b", "https://example.com/b"),
        ("c?d#e", "https://example.com/a/c?d"),
        ("//other.example/x", "https://other.example/x"),
        ("https://other.example/", "https://other.example/"),
        ("?q=\u00fc", "https://example.com/a/b?q=%C3%BC"),
    ],
)
def test_a_redirect_is_read_from_where_it_came(target: str, read: str) -> None:
    assert joined(address_of("https://example.com/a/b"), target).url == read


@pytest.mark.parametrize(
    "target",
    ["http://example.com/", "ftp://x.example/", "https://u@x.example/", "https://[::bad/", "//127.1/", "\\\\x"],
)
def test_a_redirect_is_held_to_the_same_and_never_leads_from_https_to_http(target: str) -> None:
    with pytest.raises(WebFailure) as caught:
        joined(address_of("https://example.com/a/b"), target)
    assert caught.value.fault is WebFault.REFUSED


async def test_a_configured_server_is_admitted_wherever_it_is_and_nothing_beside_it() -> None:
    gate = OwnServerWebGate("http://127.0.0.1:8888/searxng")
    assert (await gate.admit(address_of("http://127.0.0.1:8888/search"))).may_be_private
    for url in ("http://127.0.0.1:8889/", "https://127.0.0.1:8888/", "http://127.0.0.2:8888/", "http://8.8.8.8:8888/"):
        with pytest.raises(WebFailure):
            await gate.admit(address_of(url))
