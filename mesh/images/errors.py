"""What can go wrong while images are set up."""

from __future__ import annotations


class ImagesError(Exception):
    """An image could not be set up, or is not what it should be.

    Args:
        message: One line: what is wrong.
        remedy: One line: what the person can do about it.
    """

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
