"""Egress: what a program wants to reach, what the lists allow, and what it has reached."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address

from sandbox_service.domain.errors import egress_invalid, egress_refused
from shared.errors import FieldViolation

_MAX_HOST = 253
_MAX_PORT = 65535
_PORT = re.compile(r"[1-9][0-9]{0,4}")
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
# With a dot: a name without one is of the host's own network. The last label of no name begins with a digit.
_NAME = re.compile(rf"(?:{_LABEL}\.)+(?![0-9]){_LABEL}")
_WHAT = "must be host:port, an address as 192.0.2.1:443 or [2001:db8::1]:443, or *.example.com:443"


@dataclass(frozen=True, slots=True)
class EgressRule:
    """One target, or many.

    Attributes:
        host: a name in lower case, an address, or `*.` and a name for all names below it, not for that name itself.
        port: 1 to 65535.
    """

    host: str
    port: int

    def covers(self, host: str, port: int) -> bool:
        """Return whether everything that `host` (which may be a pattern) and `port` stand for is of this rule."""
        below = self.host.startswith("*.") and host.endswith(self.host[1:])
        return port == self.port and (host == self.host or below)

    @property
    def is_address(self) -> bool:
        """Whether it names an address instead of a name."""
        return is_address(self.host)


@dataclass(frozen=True, slots=True)
class AllowList:
    """What somebody allows.

    Attributes:
        name: what to tell a caller about where it is set, for example the name of a setting.
        rules: what is allowed; nothing else is.
    """

    name: str
    rules: tuple[EgressRule, ...] = ()


@dataclass(frozen=True, slots=True)
class EgressGrant:
    """What one program may reach; by default nothing."""

    rules: tuple[EgressRule, ...] = ()

    def __bool__(self) -> bool:
        """Return whether it may reach anything."""
        return bool(self.rules)

    def allows(self, host: str, port: int) -> bool:
        """Return whether it may reach `host`, as `target_of` gives it."""
        return any(rule.covers(host, port) for rule in self.rules)


NOTHING = EgressGrant()
"""The grant of who asked for none."""


@dataclass(frozen=True, slots=True)
class EgressLimits:
    """What one program may use of the network.

    Attributes:
        connections: most at a time; more wait.
        sent_bytes: most that it may send, in all.
        received_bytes: most that it may receive, in all.
        request_s: longest time from a connection to the end of its request's head.
        connect_s: longest time for a name to be looked up and its host to answer.
        idle_s: longest time of a connection without a byte in any direction.
    """

    connections: int = 16
    sent_bytes: int = 64 << 20
    received_bytes: int = 256 << 20
    request_s: float = 10.0
    connect_s: float = 10.0
    idle_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Reached:
    """What went to and came from one target."""

    target: str
    connections: int
    sent_bytes: int
    received_bytes: int


@dataclass(frozen=True, slots=True)
class EgressReport:
    """What a program did with its grant: counts, never contents.

    Attributes:
        reached: each target; beyond the first 64, all others are one named `*`.
        refused: how many requests were refused, by reason.
    """

    reached: tuple[Reached, ...] = ()
    refused: Mapping[str, int] = field(default_factory=dict[str, int])


def is_address(host: str) -> bool:
    """Return whether `host` is an IPv4 or IPv6 address, without brackets."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def target_of(text: str) -> tuple[str, int]:
    """Return host and port of `host:port`: the host in lower case, without brackets and without a dot at its end.

    Raises:
        ValueError: it is neither a full name nor an address in its usual form, or the port is none.
    """
    host, colon, port = text.rpartition(":")
    if not colon or not _PORT.fullmatch(port) or int(port) > _MAX_PORT or len(host) > _MAX_HOST + 1:
        raise ValueError(_WHAT)
    if host.startswith("[") and host.endswith("]") and "%" not in host and is_address(host[1:-1]):
        return str(ip_address(host[1:-1])), int(port)
    host = host.lower().removesuffix(".")
    if _NAME.fullmatch(host) or (":" not in host and is_address(host)):
        return host, int(port)
    raise ValueError(_WHAT)


def rule_of(text: str) -> EgressRule:
    """Return the rule that `text` states, for example `api.example.com:443` or `*.example.com:443`.

    Raises:
        ValueError: it states none.
    """
    host, port = target_of(text.removeprefix("*."))
    if text.startswith("*."):
        if is_address(host):
            raise ValueError(_WHAT)
        host = f"*.{host}"
    return EgressRule(host, port)


def granted(wanted: Sequence[str], installation: AllowList, *narrower: AllowList) -> EgressGrant:
    """Return the grant of a program that wants `wanted`: all of it, where each of the lists covers all of it.

    Raises:
        InvalidInput: EGRESS_INVALID, with one violation for each target that is none.
        PreconditionFailed: EGRESS_REFUSED, with the target and the list that does not have it.
    """
    rules: list[EgressRule] = []
    violations: list[FieldViolation] = []
    for place, text in enumerate(wanted):
        try:
            rules.append(rule_of(text))
        except ValueError:
            violations.append(FieldViolation(f"egress[{place}]", _WHAT))
    if violations:
        raise egress_invalid(violations)
    for text, rule in zip(wanted, rules, strict=True):
        for each in (installation, *narrower):
            if not any(known.covers(rule.host, rule.port) for known in each.rules):
                raise egress_refused(text, each.name)
    return EgressGrant(tuple(rules))
