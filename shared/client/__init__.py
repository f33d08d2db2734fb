"""Calls to other services: channels that carry identity, trace and deadline, and errors in the taxonomy."""

from shared.client.errors import translated_errors

__all__ = ["translated_errors"]
