"""Idempotency keys and names for what an MCP client does, made of what it says."""

from __future__ import annotations

import hashlib

_DIGITS = 40


def call_key(session_id: str, request_id: str | int) -> str:
    """Return the idempotency key of a request: the same for the same request of the same session, 44 characters.

    Session ids are secrets of their clients, and request ids may be long: neither is seen in the key.
    """
    kind = "i" if isinstance(request_id, int) else "s"
    return f"mcp:{_digest(f'{session_id} {kind}{request_id}')}"


def workspace_of(session_id: str) -> str:
    """Return the conversation under which tools keep what a session's calls share; empty without a session."""
    return f"mcp:{_digest(session_id)}" if session_id else ""


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()[:_DIGITS]
