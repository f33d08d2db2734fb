"""Turns a call's credential into a principal: an API key by asking the settings service, a mesh token by itself."""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Protocol, TypeVar

import grpc

from protos.gen.nexus.settings.v1 import identity_pb2, identity_pb2_grpc
from shared.auth.context import acting_as
from shared.auth.mesh_token import MeshTokens
from shared.auth.principal import Principal, service_principal
from shared.client import translated_errors
from shared.clock import Clock
from shared.errors import Unauthenticated, UpstreamDown

API_KEY_PREFIX = "nxk_"
_SCHEME = "bearer "
_MOST_KEPT = 10_000
_REFUSED_S = 1.0
_STRANGERS_AT_ONCE = 32
_STRANGERS = 500
_ANSWER_S = 5.0
_RETRY_AFTER_S = 1.0
_Kept = TypeVar("_Kept")


class KeyDirectory(Protocol):
    """Knows whose an API key is."""

    async def principal_of(self, api_key: str) -> Principal:
        """Return the principal that `api_key` belongs to.

        Raises:
            Unauthenticated: for an unknown or revoked key.
            UpstreamDown: when that cannot be found out now.
        """
        ...


@dataclass(slots=True, eq=False)
class _Asking:
    """The look-up of one key, and how many wait for its answer."""

    task: asyncio.Task[Principal]
    is_stranger: bool
    waiting: int = 0


class Authenticator:
    """Authenticates the `authorization` value of a call."""

    def __init__(self, tokens: MeshTokens, keys: KeyDirectory) -> None:
        self._tokens = tokens
        self._keys = keys

    async def authenticate(self, authorization: str | None) -> Principal:
        """Return who is calling.

        Args:
            authorization: `Bearer <API key or mesh token>`, or None.

        Raises:
            Unauthenticated: when there is no credential or it is not valid.
            UpstreamDown: when an API key cannot be checked now.
        """
        if not authorization or not authorization.lower().startswith(_SCHEME):
            raise Unauthenticated(
                "CREDENTIAL_MISSING", "Send your API key as metadata: `authorization: Bearer nxk_...`."
            )
        credential = authorization[len(_SCHEME) :].strip()
        if credential.startswith(API_KEY_PREFIX):
            return await self._keys.principal_of(credential)
        return self._tokens.verify(credential)

    def owner_of(self, api_key: str) -> Awaitable[Principal]:
        """Return whose `api_key` is; raises as `authenticate` does."""
        return self._keys.principal_of(api_key)


class SettingsKeyDirectory:
    """Asks the settings service, and remembers the answer for a moment.

    Answers are kept under the key's SHA-256, never under the key, for `ttl_s` seconds: that is how long a revoked
    key can still work. Calls with one key that come while it is being asked wait for one answer.

    Keys that nobody has are remembered for a second, and of keys that were never good only a few are asked for at once
    and only some wait their turn; so whoever guesses keeps the settings service from nobody whose key was good before.
    No caller waits longer than five seconds, in that line or for the answer; what nobody waits for is not asked.
    """

    def __init__(self, channel: grpc.aio.Channel, service: str, clock: Clock, ttl_s: float = 5.0) -> None:
        self._stub = identity_pb2_grpc.IdentityServiceStub(channel)
        self._service = service
        self._clock = clock
        self._ttl_s = ttl_s
        self._known: OrderedDict[bytes, tuple[float, Principal]] = OrderedDict()
        self._refused: OrderedDict[bytes, tuple[float, str, str]] = OrderedDict()
        self._turns = asyncio.Semaphore(_STRANGERS_AT_ONCE)
        self._strangers = 0
        self._asking: dict[bytes, _Asking] = {}

    async def principal_of(self, api_key: str) -> Principal:
        """Return the principal that `api_key` belongs to.

        Raises:
            Unauthenticated: for an unknown or revoked key.
            UpstreamDown: KEY_CHECKS_BUSY, KEY_CHECK_SLOW, or as the settings service cannot be reached.
        """
        # Looked up by its digest: how long that takes says nothing of any key.
        digest = hashlib.sha256(api_key.encode()).digest()
        known = self._known.get(digest)
        if known and self._clock.monotonic() < known[0]:
            return known[1]
        asking = self._asking.get(digest) or self._ask(api_key, digest)
        asking.waiting += 1
        try:
            # Shielded: one who leaves takes nobody's answer along.
            return await asyncio.shield(asking.task)
        finally:
            asking.waiting -= 1
            if not asking.waiting:
                self._end(digest, asking)

    def _ask(self, api_key: str, digest: bytes) -> _Asking:
        refused = self._refused.get(digest)
        if refused is not None and self._clock.monotonic() < refused[0]:
            raise Unauthenticated(refused[1], refused[2])
        is_stranger = digest not in self._known
        if is_stranger and self._strangers >= _STRANGERS:
            raise UpstreamDown(
                "KEY_CHECKS_BUSY",
                "Too many API keys that were not seen before are being checked. Try again in a moment.",
                retry_after_s=_RETRY_AFTER_S,
            )
        self._strangers += is_stranger
        task = asyncio.create_task(self._asked(api_key, digest, is_stranger=is_stranger))
        asking = self._asking[digest] = _Asking(task, is_stranger)
        return asking

    def _end(self, digest: bytes, asking: _Asking) -> None:
        """Nobody waits for it any more: all were answered, or have left."""
        del self._asking[digest]
        self._strangers -= asking.is_stranger
        asking.task.cancel()

    async def _asked(self, api_key: str, digest: bytes, *, is_stranger: bool) -> Principal:
        try:
            async with asyncio.timeout(_ANSWER_S):
                if not is_stranger:
                    return await self._looked_up(api_key, digest)
                async with self._turns:
                    return await self._looked_up(api_key, digest)
        except TimeoutError as error:
            raise UpstreamDown(
                "KEY_CHECK_SLOW",
                "Your API key could not be checked in time. Try again in a moment.",
                retry_after_s=_RETRY_AFTER_S,
            ) from error
        except Unauthenticated as error:
            self._known.pop(digest, None)
            _keep(self._refused, digest, (self._clock.monotonic() + _REFUSED_S, error.reason, error.message))
            raise

    async def _looked_up(self, api_key: str, digest: bytes) -> Principal:
        now = self._clock.monotonic()
        with acting_as(service_principal(self._service)):
            async with translated_errors("settings"):
                reply: identity_pb2.AuthenticateKeyResponse = await self._stub.AuthenticateKey(
                    identity_pb2.AuthenticateKeyRequest(api_key=api_key[:256])
                )
        found = principal_from_proto(reply.principal)
        _keep(self._known, digest, (now + self._ttl_s, found))
        return found


def _keep(kept: OrderedDict[bytes, _Kept], digest: bytes, value: _Kept) -> None:
    """Keeps `value`; the oldest one goes where there are too many."""
    kept[digest] = value
    kept.move_to_end(digest)
    if len(kept) > _MOST_KEPT:
        kept.popitem(last=False)


def principal_from_proto(message: identity_pb2.Principal) -> Principal:
    """Return the principal that `message` names."""
    return Principal(
        message.org_id, message.user_id, frozenset(message.roles), frozenset(message.permissions), message.key_id
    )


def principal_to_proto(principal: Principal) -> identity_pb2.Principal:
    """Return `principal` as a message."""
    return identity_pb2.Principal(
        org_id=principal.org_id,
        user_id=principal.user_id,
        roles=sorted(principal.roles),
        permissions=sorted(principal.permissions),
        key_id=principal.key_id,
    )
