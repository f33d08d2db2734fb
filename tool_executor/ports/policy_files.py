"""The files of tool policies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from tool_executor.domain.policy_file import PolicyFile


class PolicyFiles(Protocol):
    """Knows the files and what is wrong in them."""

    def files(self) -> Sequence[PolicyFile]:
        """Return the platform's file, then the organisations' by name, as they were seen last."""
        ...

    def name_of(self, org_id: str) -> str:
        """Return the name of the file of `org_id`, whether it is there or not."""
        ...
