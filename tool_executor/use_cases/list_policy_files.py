"""Shows which tool policies are in force."""

from __future__ import annotations

from collections.abc import Sequence

from tool_executor.domain.policy_file import PolicyFile
from tool_executor.ports.policy_files import PolicyFiles


class ListPolicyFiles:
    """Returns the files of all organisations: for whoever runs the installation."""

    def __init__(self, policies: PolicyFiles) -> None:
        self._policies = policies

    def __call__(self) -> Sequence[PolicyFile]:
        """Return the platform's file, then the organisations' by name."""
        return self._policies.files()

    def name_of(self, org_id: str) -> str:
        """Return the name of the file of `org_id`, whether it is there or not."""
        return self._policies.name_of(org_id)
