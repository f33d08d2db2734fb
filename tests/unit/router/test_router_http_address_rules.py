"""What an address in a request says by itself of where it leads."""

from __future__ import annotations

import pytest

from provider_router.servicer.http.data_url import leads_inside
from provider_router.servicer.http.fields import WrongFieldError


@pytest.mark.parametrize(
    "host",
    [
        *("0177.0.0.1", "010.1.2.3", "0169.254.169.254", "00000000000127.0.0.1", "0x0000000007f.0.0.1"),
        *("0x7f.0x0000000001", "4294967297", "999999999999", "256.1.1.1", "1.2.3.4.5", "127.1.65536", "0x", "1..2"),
        *("a.1", "example.0x7f", "10.1.2.3x", "9" * 5000, "[1::2::3]"),
    ],
)
def test_a_host_that_ends_as_addresses_do_is_one_that_all_read_alike_or_none(host: str) -> None:
    with pytest.raises(WrongFieldError, match="all read alike"):
        leads_inside(f"https://{host}/")


@pytest.mark.parametrize(
    ("host", "description"),
    [
        ("169\u3002254\u3002169\u3002254", "write it as xn--"),
        ("169%E3%80%82254%E3%80%82169%E3%80%82254", "write it as xn--"),
        ("12\u00ad7.0.0.1", "write it as xn--"),
        ("local\u00adhost", "write it as xn--"),
        ("12\u200b7.0.0.1", "write it as xn--"),
        ("\uff11\uff12\uff17.0.0.1", "write it as xn--"),
        ("b\u00fccher.example", "write it as xn--"),
        ("010.1.2.3", "all read alike"),
        ("0x0000000007f.0.0.1", "all read alike"),
        ("127.0.0.1,example.com", "host that is none"),
        ("x%40127.0.0.1", "host that is none"),
        ("a@127.0.0.1@example.com", "host that is none"),
        ("[::1", "host that is none"),
        ("metadata", "nobody is asked to fetch from"),
        ("metadata.google%2einternal", "nobody is asked to fetch from"),
        ("[fe80::1%25eth0]", "nobody is asked to fetch from"),
    ],
)
def test_a_host_that_some_read_otherwise_is_refused(host: str, description: str) -> None:
    with pytest.raises(WrongFieldError, match=description):
        leads_inside(f"https://{host}/a.png")


@pytest.mark.parametrize(
    ("host", "inside"),
    [
        ("xn--bcher-kva.example", False),
        ("user:p%40ss@my_bucket.example:8443", False),
        ("8.8.8.8", False),
        ("redis:6379", True),
        ("%6cocalhost", True),
        ("user@10.1.2.3", True),
        ("0X7F.1.", True),
    ],
)
def test_what_an_address_says_by_itself(host: str, inside: bool) -> None:
    assert leads_inside(f"https://{host}/a.png") is inside
