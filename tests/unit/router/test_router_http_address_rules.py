from __future__ import annotations

import pytest

from provider_router.domain.contracts.address_rules import Reach, names_private_place, reach_of, reach_said_by
from provider_router.servicer.http.data_url import leads_inside
from provider_router.servicer.http.fields import WrongFieldError


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "8.8.8.8", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert reach_of(address) is Reach.PUBLIC


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.9.9.9",
        "10.0.0.1",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "100.64.0.1",
        "198.18.0.1",
        "192.0.2.1",
        "::1",
        "fc00::1",
        "fd12:3456::1",
        "::ffff:127.0.0.1",
        "::ffff:10.1.2.3",
        "64:ff9b::7f00:1",
        "64:ff9b::a00:1",
        "2002:7f00:1::",
        "2002:c0a8:101::1",
        "::127.0.0.1",
        "2001:db8::1",
    ],
)
def test_addresses_of_somebodys_own_network_are_private_however_they_are_written(address: str) -> None:
    assert reach_of(address) is Reach.PRIVATE


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "169.254.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::",
        "fd00:ec2::254",
        "100.100.100.200",
        "192.0.0.192",
        "fe80::1",
        "fe80::1%eth0",
        "0.0.0.0",  # noqa: S104 - nothing is bound
        "0.1.2.3",
        "::",
        "224.0.0.1",
        "ff02::1",
        "240.0.0.1",
        "255.255.255.255",
    ],
)
def test_nobody_serves_models_at_metadata_link_local_multicast_and_reserved_addresses(address: str) -> None:
    assert reach_of(address) is Reach.NEVER


@pytest.mark.parametrize(
    ("host", "private"),
    [
        ("localhost", True),
        ("model.localhost", True),
        ("127.0.0.1", True),
        ("10.1.2.3", True),
        ("::1", True),
        ("8.8.8.8", False),
        ("169.254.169.254", False),
        ("api.acme.test", False),
        ("localhost.acme.test", False),
        ("10.1.2.3.acme.test", False),
    ],
)
def test_what_a_configuration_says_to_be_private_by_itself(host: str, private: bool) -> None:
    assert names_private_place(host) is private


@pytest.mark.parametrize(
    ("host", "reach"),
    [
        ("example.com", Reach.PUBLIC),
        ("localhost.example.com", Reach.PUBLIC),
        ("1e100.net", Reach.PUBLIC),
        ("8.8.8.8", Reach.PUBLIC),
        ("localhost", Reach.PRIVATE),
        ("db.internal", Reach.PRIVATE),
        ("printer.local", Reach.PRIVATE),
        ("10.1.2.3", Reach.PRIVATE),
        ("::1", Reach.PRIVATE),
        ("::ffff:10.1.2.3", Reach.PRIVATE),
        # As browsers and the C library read them.
        ("2130706433", Reach.PRIVATE),
        ("0x7f.1", Reach.PRIVATE),
        ("10.258", Reach.PRIVATE),
        ("169.254.169.254", Reach.NEVER),
        ("0xa9fea9fe", Reach.NEVER),
        ("metadata.google.internal", Reach.NEVER),
        ("0.1.2.3", Reach.NEVER),
        ("instance-data", Reach.NEVER),
        ("redis", Reach.PRIVATE),
        ("printer.lan", Reach.PRIVATE),
        ("nas.home.arpa", Reach.PRIVATE),
        ("localhost.localdomain", Reach.PRIVATE),
        ("", Reach.PRIVATE),
    ],
)
def test_what_a_host_says_by_itself(host: str, reach: Reach) -> None:
    assert reach_said_by(host) is reach


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
