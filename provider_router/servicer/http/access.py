"""Who calls over HTTP, and how much they may ask for at once."""

from __future__ import annotations

from collections.abc import Mapping

from shared.auth.authenticator import API_KEY_PREFIX, Authenticator
from shared.auth.permissions import require_permission
from shared.auth.principal import Principal
from shared.errors import InvalidInput, QuotaExceeded, Unauthenticated

_SCHEME = "bearer"
# As nearly all send it.
_PLAIN = f"Bearer {API_KEY_PREFIX}"
_PLAIN_LENGTH = len(_PLAIN)


class _Open:
    """What one key has open."""

    __slots__ = ("body_bytes", "calls")

    def __init__(self) -> None:
        self.body_bytes = 0
        self.calls = 0


class Access:
    """Lets callers in by their API keys.

    Tokens of the mesh are not taken here: services call each other over gRPC, and an address that programs elsewhere
    reach needs no second kind of credential.

    Args:
        authenticator: Knows whose a key is.
        calls_per_key: Calls that one key may have open.
        bytes_per_key: Of bodies that the open calls of one key may hold.
    """

    def __init__(self, authenticator: Authenticator, calls_per_key: int, bytes_per_key: int) -> None:
        self._authenticator = authenticator
        self._calls_per_key = calls_per_key
        self._bytes_per_key = bytes_per_key
        # A key that has nothing open costs nothing.
        self._open: dict[tuple[str, str, str], _Open] = {}

    async def principal_of(self, headers: Mapping[str, str], permission: str) -> Principal:
        """Who sent `headers`, and may do what needs `permission`.

        Raises:
            Unauthenticated: CREDENTIAL_MISSING, or there is no such key.
            InvalidInput: CREDENTIALS_DIFFER.
            Forbidden: PERMISSION_DENIED.
            UpstreamDown: The key cannot be checked now.
        """
        principal = await self._authenticator.owner_of(_key_in(headers))
        require_permission(principal, permission)
        return principal

    def enter(self, principal: Principal, body_bytes: int) -> None:
        """Counts a call of `principal`, and a body of that size, until `leave`.

        Raises:
            QuotaExceeded: TOO_MANY_CALLS, TOO_MANY_BYTES; then there is nothing to leave.
        """
        key = (principal.org_id, principal.user_id, principal.key_id)
        opened = self._open.get(key) or _Open()
        if opened.body_bytes + body_bytes > self._bytes_per_key:
            raise QuotaExceeded(
                "TOO_MANY_BYTES",
                f"The bodies of your open calls have {self._bytes_per_key} bytes. Try again when some have ended.",
                retry_after_s=1.0,
            )
        if opened.calls >= self._calls_per_key:
            raise QuotaExceeded(
                "TOO_MANY_CALLS",
                f"You have {self._calls_per_key} calls open. End some, or try again in a moment.",
                retry_after_s=1.0,
            )
        opened.body_bytes += body_bytes
        opened.calls += 1
        self._open[key] = opened

    def leave(self, principal: Principal, body_bytes: int) -> None:
        """Counts them no more."""
        key = (principal.org_id, principal.user_id, principal.key_id)
        opened = self._open[key]
        opened.body_bytes -= body_bytes
        opened.calls -= 1
        if not opened.calls:
            del self._open[key]


def _key_in(headers: Mapping[str, str]) -> str:
    """The API key in `authorization` or `x-api-key`."""
    authorization = headers.get("authorization", "")
    if authorization[:_PLAIN_LENGTH] == _PLAIN and "x-api-key" not in headers:
        return authorization[len(_SCHEME) + 1 :]
    scheme, _, credential = authorization.partition(" ")
    bearer = credential.strip() if scheme.lower() == _SCHEME else ""
    key = headers.get("x-api-key", "")
    if key and bearer and key != bearer:
        raise InvalidInput("CREDENTIALS_DIFFER", "`authorization` and `x-api-key` hold different keys; send one.")
    found = key or bearer
    if not found.startswith(API_KEY_PREFIX):
        raise Unauthenticated(
            "CREDENTIAL_MISSING",
            "Send your API key of Nexus: `authorization: Bearer nxk_...` or `x-api-key: nxk_...`.",
        )
    return found
