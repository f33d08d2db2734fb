"""Encrypts what must not lie about in a database: AES-256-GCM, under a key in a file of the service's own user."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.errors import PreconditionFailed

_KEY_BYTES = 32
_NONCE_BYTES = 12


class SecretUnreadableError(Exception):
    """What was sealed cannot be opened: another key, another place, or it was changed."""


class AesGcmSecretBox:
    """Seals bytes for a place, so that a sealed value that is moved to another place cannot be opened there.

    Args:
        key_file: where the key is; made, readable by its owner alone, when something is sealed for the first time.
    """

    def __init__(self, key_file: Path) -> None:
        self._key_file = key_file
        self._cipher: AESGCM | None = None

    def seal(self, data: bytes, place: str) -> bytes:
        """Return `data` encrypted, for `place` alone.

        Raises:
            PreconditionFailed: MCP_KEY_UNUSABLE.
        """
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._opened(make=True).encrypt(nonce, data, place.encode())

    def unseal(self, sealed: bytes, place: str) -> bytes:
        """Return what was sealed for `place`.

        Raises:
            SecretUnreadableError: when it was not sealed so, with this key.
        """
        try:
            cipher = self._opened(make=False)
            return cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], place.encode())
        except (InvalidTag, ValueError, PreconditionFailed) as error:
            raise SecretUnreadableError from error

    def _opened(self, *, make: bool) -> AESGCM:
        if self._cipher is None:
            try:
                if make:
                    _make(self._key_file)
                key = self._key_file.read_bytes()
            except OSError as error:
                raise _unusable(str(error.strerror)) from error
            if len(key) != _KEY_BYTES:
                raise _unusable(f"it is not {_KEY_BYTES} bytes long")
            self._cipher = AESGCM(key)
        return self._cipher


def _make(path: Path) -> None:
    """Write a new key beside `path` and link it there, unless there is one: a crash leaves a whole key or none."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if path.exists():
        return
    beside = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(secrets.token_bytes(_KEY_BYTES))
        file.flush()
        os.fsync(file.fileno())
    with suppress(FileExistsError):
        path.hardlink_to(beside)
    beside.unlink()


def _unusable(why: str) -> PreconditionFailed:
    return PreconditionFailed(
        "MCP_KEY_UNUSABLE", f"The key that encrypts the secrets of MCP servers cannot be used: {why}."
    )
