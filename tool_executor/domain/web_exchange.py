"""A request to a server on the web, and what comes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum


class WebFault(Enum):
    """Why a request came to nothing."""

    REFUSED = "refused"
    """Its address, or one that it led to, is not to be fetched from."""
    DISALLOWED = "disallowed"
    """The site asks programs not to fetch it."""
    TOO_LARGE = "too_large"
    TYPE = "type"
    """What came is of a kind that was not asked for."""
    TIMEOUT = "timeout"
    REDIRECTS = "redirects"
    """It was led on too often."""
    FAILED = "failed"
    """No connection, no trusted certificate, or no HTTP."""


class WebFailure(Exception):
    """A request that came to nothing.

    Args:
        fault: what kind of failure it is.
        message: a sentence for the model, that holds no more of the address than its host.
    """

    def __init__(self, fault: WebFault, message: str) -> None:
        super().__init__(f"{fault.value}: {message}")
        self.fault = fault
        self.message = message


@dataclass(frozen=True, slots=True)
class WebAddress:
    """A URL whose parts all programs read alike.

    Args:
        scheme: `http` or `https`.
        host: a name in lower case ASCII without a dot at its end, or an address; an IPv6 one has no brackets.
        port: 1 to 65535.
        url: the whole, encoded, without a fragment.
    """

    scheme: str
    host: str
    port: int
    url: str

    @property
    def origin(self) -> tuple[str, str, int]:
        """Scheme, host and port: who is talked to."""
        return self.scheme, self.host, self.port


@dataclass(frozen=True, slots=True)
class Admission:
    """What a request may do at an address.

    Args:
        may_be_private: whether the host may be at an address of a network of its operator's own.
        headers: further headers for this address alone, such as credentials.
    """

    may_be_private: bool = False
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)


@dataclass(frozen=True, slots=True)
class WebRequest:
    """What to ask for, and how much of an answer is taken.

    Args:
        url: as a model or a page wrote it.
        timeout_s: longest time for all of it, redirects included.
        max_bytes: most bytes of the body, packed or unpacked.
        method: in upper case.
        headers: beside those that the client sends by itself.
        body: what is sent.
        media_types: when there are any, an answer of success must be of one of them, and any other has no body.
        cuts: whether a longer body is cut instead of refused.
        max_redirects: how often GET and HEAD are led on; with 0 an answer that leads on is an answer.
    """

    url: str
    timeout_s: float
    max_bytes: int
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""
    media_types: frozenset[str] = frozenset()
    cuts: bool = False
    max_redirects: int = 0


@dataclass(frozen=True, slots=True)
class WebAnswer:
    """What came.

    Args:
        url: where it came from in the end.
        status: of HTTP.
        headers: as sent, in order.
        media_type: in lower case, without parameters; empty when none is told.
        charset: as told; empty when none is.
        body: unpacked.
        cut: whether the body was longer.
    """

    url: str
    status: int
    headers: Sequence[tuple[str, str]]
    media_type: str
    charset: str
    body: bytes
    cut: bool = False
