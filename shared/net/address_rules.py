"""Who is at an address, whatever a name server says. Pure: nothing is looked up.

The special ranges are those of the IANA registries, as Python's `ipaddress` knows them, and more.
"""

from __future__ import annotations

import re
from enum import Enum, auto
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

_NAT64 = ip_network("64:ff9b::/96")
# Where clouds keep what only the machine itself may know, besides the link-local one.
_METADATA = frozenset(map(ip_address, ("fd00:ec2::254", "100.100.100.200", "192.0.0.192", "168.63.129.16")))
_METADATA_NAMES = ("metadata", "metadata.google.internal", "instance-data", "instance-data.ec2.internal")
_INSIDE = ("localhost", "localdomain", "internal", "local", "lan", "arpa")
# Not with a nought before it: to some that means octal, to others nothing.
_NUMBER = re.compile(r"0|[1-9][0-9]*|0x(?:0|[1-9a-f][0-9a-f]*)")
_MOST_PARTS = 4
_MOST_PART = 255
_THIS_NETWORK = ip_network("0.0.0.0/8")
_COMPATIBLE = ip_network("::/96")
# The first half of an interface identifier that ends in an IPv4 address: that of a tunnel's end. One bit of it is free.
_ISATAP = 0x0000_5EFE
_ISATAP_BITS = 0xFDFF_FFFF
# Special by the IANA registries, and public to some patch levels of Python: Teredo and site-local ones, for example.
_SPECIAL = tuple(
    ip_network(network)
    for network in (
        *("192.0.0.0/24", "192.88.99.0/24"),
        *("64:ff9b:1::/48", "2001::/23", "3fff::/20", "5f00::/16", "fec0::/10"),
    )
)


class Reach(Enum):
    """Who is at an address: anybody's machine, one of a network of its own, or nobody that serves others."""

    PUBLIC = auto()
    PRIVATE = auto()
    NEVER = auto()


def reach_of(address: str) -> Reach:
    """Who is at `address`, an IPv4 or IPv6 address as sockets have it.

    Private are loopback, RFC 1918, RFC 6598, RFC 4193 and all else that the registries of IANA do not count as globally
    reachable. Never are link-local addresses, those of the clouds' metadata, multicast, unspecified and reserved ones.
    An IPv6 address that stands for an IPv4 one counts as that; so does a public one of a tunnel to an IPv4 one.

    Raises:
        ValueError: It is no address.
    """
    number, _, scope = address.partition("%")
    ip = ip_address(number)
    if isinstance(ip, IPv6Address) and (inner := _embedded(ip)) is not None:
        ip = inner
    if ip in _METADATA or ip in _THIS_NETWORK or ip.is_link_local or ip.is_multicast or ip.is_unspecified:
        return Reach.NEVER
    # Python counts the loopback address of IPv6 as reserved, too.
    if ip.is_reserved and not ip.is_loopback:
        return Reach.NEVER
    if scope or not ip.is_global or any(ip in network for network in _SPECIAL):
        return Reach.PRIVATE
    tunnelled = isinstance(ip, IPv6Address) and int(ip) >> 32 & _ISATAP_BITS == _ISATAP
    return reach_of(str(IPv4Address(int(ip) & 0xFFFFFFFF))) if tunnelled else Reach.PUBLIC


def is_public(address: str) -> bool:
    """Whether `address`, numeric IPv4 or IPv6, is one of the public internet. Text that is no address is not."""
    try:
        return reach_of(address) is Reach.PUBLIC
    except ValueError:
        return False


def names_private_place(host: str) -> bool:
    """Whether `host` says by itself that it is private: a private address, or this machine.

    Who writes that into a configuration means it; a name may stand for anything.
    """
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return reach_of(host) is Reach.PRIVATE
    except ValueError:
        return False


def reach_said_by(host: str) -> Reach:
    """Who `host`, of an address that somebody else will fetch, says is there: in lower case, without a dot at its end.

    Names are not looked up, so one that says nothing is anybody's. One without a dot is of the fetcher's own network.

    Raises:
        ValueError: It ends as only addresses do and is none, or one that is read in several ways.
    """
    if ":" in host:
        return reach_of(host)
    owner, _, last = host.rpartition(".")
    if host in _METADATA_NAMES:
        return Reach.NEVER
    if last[:1].isdigit():
        return reach_of(_canonical(host))
    return Reach.PRIVATE if last in _INSIDE or not owner else Reach.PUBLIC


def _canonical(host: str) -> str:
    """An IPv4 address of numbers, decimal or not, the last of which stands for all that is left, as browsers read it.

    Raises:
        ValueError: It is none.
    """
    parts = host.split(".", _MOST_PARTS)
    if len(parts) > _MOST_PARTS or not all(map(_NUMBER.fullmatch, parts)):
        raise ValueError(host)
    *first, last = [int(part, 16 if part[1:2] == "x" else 10) for part in parts]
    if any(number > _MOST_PART for number in first) or last >> 8 * (_MOST_PARTS - len(first)):
        raise ValueError(host)
    return str(IPv4Address(sum(number << 8 * (3 - place) for place, number in enumerate(first)) + last))


def _embedded(ip: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that `ip` stands for: mapped, by 6to4, or by NAT64."""
    if ip in _NAT64 or (ip in _COMPATIBLE and int(ip) > 1):
        return IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour
