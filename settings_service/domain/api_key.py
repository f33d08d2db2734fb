"""API keys: `nxk_` and 43 characters of base64url, 256 random bits. Only the SHA-256 of a key is ever stored.

A fast hash is enough because the key is random and long; a slow one would only slow down every call.
"""

from __future__ import annotations

import base64
import hashlib

PREFIX = "nxk_"
SECRET_BYTES = 32


def format_key(secret: bytes) -> str:
    """Return the key made of `secret`, 32 random bytes."""
    return PREFIX + base64.urlsafe_b64encode(secret).decode().rstrip("=")


def hash_key(api_key: str) -> str:
    """Return the hexadecimal SHA-256 under which `api_key` is stored."""
    return hashlib.sha256(api_key.encode()).hexdigest()
