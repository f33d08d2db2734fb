"""Mesh tokens: how one service tells another on whose behalf it calls.

A token is a JWT (RFC 7519) signed with HS256 by the key that `nexus up` writes to the data directory, readable by the
mesh's own user alone. It lives for a minute, so a leaked one is worth little, and work that outlives the caller's
request (a run after a restart) can still be done in the caller's name without keeping the caller's key.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar, cast

import jwt

from shared.auth.principal import Principal
from shared.clock import Clock
from shared.errors import PreconditionFailed, Unauthenticated

LIFETIME_S = 60
_LEEWAY_S = 5
_REUSE_S = 20
_REMEMBERED = 1024
_AUDIENCE = "nexus-mesh"
_MIN_KEY_BYTES = 32
_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


class MeshTokens:
    """Mints and verifies mesh tokens with one key.

    A token is used again for its first third, and one that was verified is known until it expires: signing and checking
    would else be a large part of what a call between services costs. Both memories are bounded.

    Args:
        key: at least 32 bytes.
        clock: gives the time of issue and expiry.
    """

    def __init__(self, key: bytes, clock: Clock) -> None:
        if len(key) < _MIN_KEY_BYTES:
            raise PreconditionFailed("MESH_KEY_INVALID", "The mesh key is shorter than 32 bytes. Run `nexus up`.")
        self._key = key
        self._clock = clock
        self._minted: OrderedDict[tuple[Principal, str], tuple[datetime, str]] = OrderedDict()
        self._verified: OrderedDict[str, tuple[datetime, Principal]] = OrderedDict()

    @classmethod
    def from_file(cls, path: Path, clock: Clock) -> MeshTokens:
        """Return the tokens of the key in `path`.

        Raises:
            PreconditionFailed: when the file is missing or its key too short.
        """
        try:
            key = path.read_bytes().strip()
        except OSError as error:
            raise PreconditionFailed(
                "MESH_KEY_MISSING", f"The mesh key cannot be read ({error.strerror}). `nexus up` writes it."
            ) from error
        return cls(key, clock)

    def mint(self, principal: Principal, issuer: str) -> str:
        """Return a token with which the service `issuer` acts for `principal`.

        It is valid for at least two thirds of `LIFETIME_S` seconds from now.
        """
        now = self._clock.now()
        minted_at, token = self._minted.get((principal, issuer), (None, ""))
        if minted_at is None or not timedelta() <= now - minted_at < timedelta(seconds=_REUSE_S):
            token = self._signed(principal, issuer, now)
            _remember(self._minted, (principal, issuer), (now, token))
        return token

    def _signed(self, principal: Principal, issuer: str, now: datetime) -> str:
        return jwt.encode(  # pyright: ignore[reportUnknownMemberType]  # PyJWT leaves the key type open
            {
                "iss": issuer,
                "aud": _AUDIENCE,
                "sub": principal.user_id,
                "org": principal.org_id,
                "roles": sorted(principal.roles),
                "perms": sorted(principal.permissions),
                "key": principal.key_id,
                "iat": now,
                "exp": now + timedelta(seconds=LIFETIME_S),
            },
            self._key,
            algorithm="HS256",
        )

    def verify(self, token: str) -> Principal:
        """Return the principal that `token` names.

        Raises:
            Unauthenticated: when the token is malformed, expired or signed by another key.
        """
        expiry, principal = self._verified.get(token) or self._checked(token)
        if self._clock.now() > expiry + timedelta(seconds=_LEEWAY_S):
            raise Unauthenticated("TOKEN_EXPIRED", "The token has expired.")
        _remember(self._verified, token, (expiry, principal))
        return principal

    def _checked(self, token: str) -> tuple[datetime, Principal]:
        """Return when a token of this mesh expires, and whom it names; raises Unauthenticated for any other."""
        try:
            claims = cast(
                "Mapping[str, object]",
                jwt.decode(  # pyright: ignore[reportUnknownMemberType]
                    token,
                    self._key,
                    algorithms=["HS256"],
                    audience=_AUDIENCE,
                    options={"require": ["exp", "sub", "org"], "verify_exp": False, "verify_iat": False},
                ),
            )
        except jwt.InvalidTokenError as error:
            raise Unauthenticated("TOKEN_INVALID", "The token is not one of this mesh.") from error
        expiry = datetime.fromtimestamp(cast("int", claims["exp"]), tz=self._clock.now().tzinfo)
        principal = Principal(
            str(claims["org"]),
            str(claims["sub"]),
            frozenset(cast("list[str]", claims.get("roles", []))),
            frozenset(cast("list[str]", claims.get("perms", []))),
            str(claims.get("key", "")),
        )
        return expiry, principal


def _remember(memory: OrderedDict[_Key, _Value], key: _Key, value: _Value) -> None:
    """Keep `value` as the newest of `memory`, which forgets what was used longest ago."""
    memory[key] = value
    memory.move_to_end(key)
    if len(memory) > _REMEMBERED:
        memory.popitem(last=False)
