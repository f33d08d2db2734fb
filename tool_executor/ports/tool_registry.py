"""Which tools there are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from tool_executor.domain.tool_source import SourceId, ToolChange
from tool_executor.ports.tool import Tool


class ToolRegistry(Protocol):
    """The tools by name. What it answers changes between calls, as sources come and go.

    A source is replaced as a whole: nobody ever sees half of it. A call that runs goes on with the tool that it has.
    """

    def find(self, org_id: str, name: str) -> Tool | None:
        """Return the tool that `org_id` sees under `name`, or None."""
        ...

    def all(self, org_id: str) -> Sequence[Tool]:
        """Return all tools that `org_id` sees, sorted by name."""
        ...

    def put(self, source: SourceId, tools: Iterable[Tool]) -> ToolChange:
        """Have `source` give exactly `tools` from now on. Idempotent; an error changes nothing.

        Raises:
            AlreadyExists: TOOL_NAME_TAKEN when an organisation would see two tools of one name.
            PreconditionFailed: TOOL_SCHEMA_INVALID, TOOLS_TOO_MANY.
        """
        ...

    def drop(self, source: SourceId) -> ToolChange:
        """Forget `source` and its tools. Idempotent."""
        ...
