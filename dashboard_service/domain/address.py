"""Which network addresses a calendar may be fetched from: the public internet's, and no others.

An address that somebody else chose must not lead to the mesh's own machine, its network or a cloud's metadata
service. The special ranges are those of the IANA registries, as Python's `ipaddress` knows them, and more.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

_NAT64 = ip_network("64:ff9b::/96")
_IPV4_COMPATIBLE = ip_network("::/96")
# Special by the IANA registries, and public to some patch levels of Python.
_SPECIAL = tuple(
    ip_network(network)
    for network in ("192.0.0.0/24", "192.88.99.0/24", "64:ff9b:1::/48", "2001::/23", "3fff::/20", "5f00::/16")
)
# Public by its number, yet served by the host of an Azure machine to that machine alone.
_PLATFORM = frozenset({IPv4Address("168.63.129.16")})


def is_public(address: str) -> bool:
    """Return whether `address`, numeric IPv4 or IPv6, is one of the public internet.

    IPv4 addresses inside IPv6 ones (mapped, 6to4, Teredo, NAT64) count as what they lead to. Text that is no address
    is not public.
    """
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, IPv6Address):
        inner = _embedded(parsed)
        if inner:
            return all(_is_public(v4) for v4 in inner)
    return _is_public(parsed)


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if address in _PLATFORM or address.is_multicast or address.is_reserved or address.is_unspecified:
        return False
    if any(address in network for network in _SPECIAL):
        return False
    if isinstance(address, IPv6Address) and (address.is_site_local or address.scope_id is not None):
        return False
    return address.is_global and not (address.is_private or address.is_loopback or address.is_link_local)


def _embedded(address: IPv6Address) -> tuple[IPv4Address, ...]:
    """Return the IPv4 addresses that `address` leads to."""
    if address.ipv4_mapped is not None:
        return (address.ipv4_mapped,)
    if address.sixtofour is not None:
        return (address.sixtofour,)
    if address.teredo is not None:
        return address.teredo
    if address in _NAT64 or address in _IPV4_COMPATIBLE:
        return (IPv4Address(int(address) & 0xFFFF_FFFF),)
    return ()
