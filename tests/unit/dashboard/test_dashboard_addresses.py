"""Which network addresses a calendar may come from."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard_service.domain.address import is_public

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
PUBLIC = ["1.1.1.1", "8.8.8.8", "93.184.216.34", "172.32.0.1", "2606:4700:4700::1111", "2a00:1450:4001:80b::200e"]


@pytest.mark.parametrize("address", [*PRIVATE_V4, *PRIVATE_V6, "", "localhost", "2130706433", "0x7f.1", "1.1.1.1:80"])
def test_refused(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_allowed(address: str) -> None:
    assert is_public(address)


def _disguises(v4: int) -> list[str]:
    low = IPv6Address(v4)
    return [
        str(low),
        str(IPv6Address(int(IPv6Address("::ffff:0:0")) | v4)),
        str(IPv6Address(int(IPv6Address("64:ff9b::")) | v4)),
        str(IPv6Address(int(IPv6Address("2002::")) | (v4 << 80))),
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
