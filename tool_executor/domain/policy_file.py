"""A file of tool policies."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PolicyFile:
    """One file as it is in force.

    Args:
        name: `tools.cedar`, or `tools/<organisation>.cedar`.
        policies: ids of the policies in force; of a wrong file those that it had before.
        problem: what is wrong with it as it is now, with the line; empty for nothing.
    """

    name: str
    policies: tuple[str, ...]
    problem: str
