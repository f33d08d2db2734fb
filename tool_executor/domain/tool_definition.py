"""What a tool says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

JsonObject = Mapping[str, object]
"""A parsed JSON object: values are None, bool, int, float, str, lists and further objects."""


class SideEffect(Enum):
    """What a tool does to the world."""

    READ = "read"
    """Nothing: it computes or reads."""
    WRITE = "write"
    """It changes data in Nexus."""
    EXTERNAL = "external"
    """It changes something outside Nexus."""
    PAYMENT = "payment"
    """It moves money."""


@dataclass(frozen=True, slots=True)
class ToolDefinition:
    """A tool as models, policies and people see it.

    Args:
        name: unique, `[a-z][a-z0-9_]*`, at most 64 characters.
        version: semantic version.
        description: what it does and how to call it, for the model.
        input_schema: JSON Schema (Draft 2020-12) of the arguments; always of an object.
        output_schema: JSON Schema (Draft 2020-12) of the output; always of an object.
        side_effect: what a call does to the world.
        timeout_s: longest time of a call.
        max_concurrency: most calls at once in this process; more are refused.
        examples: questions that the tool answers, for choosing it by similarity.
        owner: who answers for it.
        source: where it comes from: `builtin`, or `mcp:` and the server's name.
        permissions: what a caller needs beside `tools.execute`.
        cost_micro_usd: what a call costs.
        calls_per_minute: most calls of an organisation in any minute; 0 for no limit.
        calls_per_day: most calls of an organisation on a day (UTC); 0 for no limit.
        supports_dry_run: whether it heeds `CallContext.dry_run`.
    """

    name: str
    version: str
    description: str
    input_schema: JsonObject
    output_schema: JsonObject
    side_effect: SideEffect
    timeout_s: float
    max_concurrency: int
    examples: tuple[str, ...]
    owner: str = "nexus"
    source: str = "builtin"
    permissions: tuple[str, ...] = ()
    cost_micro_usd: int = 0
    calls_per_minute: int = 0
    calls_per_day: int = 0
    supports_dry_run: bool = False
