"""Credentials that an operator lays down for a host, and what of an answer would give them away."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

from tool_executor.domain.host_pattern import HostPattern
from tool_executor.domain.web_exchange import WebAddress

_LEAST_SECRET = 6
_MARK = "[secret]"


@dataclass(frozen=True, slots=True)
class HttpCredential:
    """Headers that are added to requests to a host, and shown to nobody.

    Args:
        pattern: the host; never those below one.
        headers: by name.
        organisations: the ids of those whose agents may use it; empty for all.
    """

    pattern: HostPattern
    headers: Mapping[str, str] = field(repr=False)
    organisations: frozenset[str] = frozenset()

    def serves(self, address: WebAddress, org_id: str) -> bool:
        """Whether it is meant for requests of `org_id` to `address`."""
        return self.pattern.fits(address) and (not self.organisations or org_id in self.organisations)


def secrets_of(headers: Mapping[str, str]) -> tuple[str, ...]:
    """Return what must not be shown of `headers`, the longest first.

    These are their values, the words of those, and the name and password in them (RFC 7617); each also as an answer
    may write it, in JSON or in an address.
    """
    words: set[str] = set()
    for value in headers.values():
        scheme, _, rest = value.partition(" ")
        words |= {value, *rest.split(), *(_password(rest) if scheme.lower() == "basic" else ())}
    kept = {word for word in words if len(word) >= _LEAST_SECRET}
    written = {form for word in kept for form in (word, word.replace("/", "\\/"), quote(word, safe=""))}
    return tuple(sorted(written, key=len, reverse=True))


def _password(encoded: str) -> tuple[str, ...]:
    try:
        both = b64decode(encoded.strip(), validate=True).decode()
    except ValueError:
        return ()
    return both, both.partition(":")[2]


def without(secrets: Iterable[str], text: str) -> str:
    """Return `text` with each of `secrets` struck out."""
    for secret in secrets:
        text = text.replace(secret, _MARK)
    return text
