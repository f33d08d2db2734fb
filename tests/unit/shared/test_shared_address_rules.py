"""Who is at an address."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.net.address_rules import Reach, is_public, names_private_place, reach_of, reach_said_by

PRIVATE_V4 = [
    "0.0.0.0",  # noqa: S104
    "10.0.0.1", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.8.8.8", "168.63.129.16",
    "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.192", "192.88.99.1", "192.0.2.1", "192.168.1.1",
    "198.18.0.1",     "198.51.100.7", "203.0.113.9", "224.0.0.251", "239.1.2.3", "240.0.0.1", "255.255.255.255",
]  # fmt: skip
PRIVATE_V6 = [
    "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "fec0::1",
    "ff02::1", "2001:db8::1", "100::1", "64:ff9b:1::1", "3fff::1",
]  # fmt: skip
PUBLIC = ["1.1.1.1", "8.8.8.8", "93.184.216.34", "172.32.0.1", "2606:4700:4700::1111", "2a00:1450:4001:80b::200e",
          "2001:470:1f0b::5efe:808:808", "2001:470:1f0b::100:5efe:7f00:1"]  # fmt: skip


@pytest.mark.parametrize("address", [*PRIVATE_V4, *PRIVATE_V6, "", "localhost", "2130706433", "0x7f.1", "1.1.1.1:80"])
def test_addresses_that_are_not_of_the_internet_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_addresses_of_the_internet_are(address: str) -> None:
    assert is_public(address)


def _disguises(v4: int) -> list[str]:
    low = IPv6Address(v4)
    return [
        str(low),
        str(IPv6Address(int(IPv6Address("::ffff:0:0")) | v4)),
        str(IPv6Address(int(IPv6Address("64:ff9b::")) | v4)),
        str(IPv6Address(int(IPv6Address("2002::")) | (v4 << 80))),
        str(IPv6Address(int(IPv6Address("2001:470:1f0b::5efe:0:0")) | v4)),
        str(IPv6Address(int(IPv6Address("2001:470:1f0b::200:5efe:0:0")) | v4)),
        str(IPv6Address(int(IPv6Address("2001:0:1.1.1.1::".replace("1.1.1.1", "101:101"))) | (v4 ^ 0xFFFF_FFFF))),
    ]


@pytest.mark.parametrize("address", PRIVATE_V4)
def test_a_private_address_inside_an_ipv6_one_is_refused(address: str) -> None:
    assert [d for d in _disguises(int(IPv4Address(address))) if is_public(d)] == []


RANGES = [
    "10.0.0.0/8",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "100.64.0.0/10",
    "224.0.0.0/3",
]


@given(st.sampled_from([ip_network(r) for r in RANGES]), st.data())
def test_no_address_of_a_special_range_is_public_in_any_disguise(network, data: st.DataObject) -> None:
    v4 = data.draw(st.integers(int(network.network_address), int(network.broadcast_address)))
    assert not is_public(str(IPv4Address(v4)))
    assert [d for d in _disguises(v4) if is_public(d)] == []


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
def test_nobody_serves_others_at_metadata_link_local_multicast_and_reserved_addresses(address: str) -> None:
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
