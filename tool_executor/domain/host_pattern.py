"""Hosts that an operator lists: `host`, `host:port`, `*.host`, `[::1]:8080`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv6Address

from tool_executor.domain.web_exchange import WebAddress

_PATTERN = re.compile(
    r"(?P<any>\*\.)?(?:\[(?P<v6>[0-9a-f:.]+)\]|(?P<name>[a-z0-9_](?:[a-z0-9._-]*[a-z0-9_])?))(?::(?P<port>[0-9]{1,5}))?"
)
_USUAL = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class HostPattern:
    """Which addresses are meant.

    Args:
        host: a name or an address; with `below`, names that end in it after a dot.
        port: the port; 0 for the scheme's own.
        below: whether the names below `host` are meant, and not `host` itself.
    """

    host: str
    port: int = 0
    below: bool = False

    def fits(self, address: WebAddress) -> bool:
        """Whether `address` is meant."""
        if address.port != (self.port or _USUAL[address.scheme]):
            return False
        return address.host.endswith(f".{self.host}") if self.below else address.host == self.host

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'*.' if self.below else ''}{host}{f':{self.port}' if self.port else ''}"


def host_patterns(texts: Iterable[str]) -> tuple[HostPattern, ...]:
    """Return the patterns in `texts`.

    Raises:
        ValueError: with the text that is none.
    """
    return tuple(_pattern(text) for text in texts)


def _pattern(text: str) -> HostPattern:
    found = _PATTERN.fullmatch(text.strip().lower())
    if not found or (found["any"] and (found["v6"] or "." not in found["name"])):
        raise ValueError(f"{text!r} is no host, as in api.example.com, api.example.com:8443 or *.example.com")
    port = int(found["port"] or 0)
    if found["port"] and not 0 < port < 65_536:
        raise ValueError(f"{text!r} has a port that is none")
    host = str(IPv6Address(found["v6"])) if found["v6"] else found["name"]
    return HostPattern(host, port, bool(found["any"]))
