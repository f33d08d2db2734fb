"""Why the local models cannot be served."""

from __future__ import annotations


class LocalModelError(Exception):
    """The local models cannot be served.

    Args:
        message: One line: what is wrong.
        remedy: One line: what the person can do about it.
    """

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
