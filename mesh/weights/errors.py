"""What can go wrong while weights are set up."""

from __future__ import annotations


class WeightsError(Exception):
    """Weights could not be set up or are unusable.

    Args:
        message: One line: what is wrong.
        remedy: One line: what the person can do about it.
    """

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
