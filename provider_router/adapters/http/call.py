"""What is asked of a provider over HTTP, and how it fails below the words that callers hear."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from provider_router.adapters.http.faults import fault
from provider_router.domain.errors import Reason
from shared.errors import NexusError


@dataclass(frozen=True, slots=True)
class HttpCall:
    """One request to a provider. Headers hold the key and bodies hold people's texts: neither is ever shown.

    Attributes:
        provider: The provider's name, for errors.
        url: Where to.
        headers: With the key.
        body: JSON; empty for one without a body.
        is_private: Whether the operator says that the provider is in a network of its own.
    """

    provider: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(default=b"", repr=False)
    is_private: bool = False


class HttpFault(Exception):
    """A connection failed a call. Connections are shared by providers, so it does not name one.

    Attributes:
        reason: Of the closed set.
        detail: Facts that hold no secret and no address.
        is_stale: Whether a connection that was used before closed without a byte of an answer.
    """

    def __init__(self, reason: Reason, detail: str = "", *, is_stale: bool = False) -> None:
        super().__init__(reason.value, detail)
        self.reason = reason
        self.detail = detail
        self.is_stale = is_stale

    def again(self) -> HttpFault:
        """The same once more, for whoever raises one that is kept: the one that is kept must not get a stack."""
        return HttpFault(self.reason, self.detail, is_stale=self.is_stale)

    def of(self, provider: str) -> NexusError:
        """The error that a caller of `provider` gets."""
        return fault(provider, self.reason, detail=self.detail)
