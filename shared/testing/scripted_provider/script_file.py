"""Reads a script from a JSON file.

```json
{
  "queue": [{"type": "reply", "text": "Hello"}, {"type": "status", "code": 503}],
  "rules": [{"user_contains": "hang", "then": {"type": "hang", "before": "mid_stream"}}]
}
```

The keys are the fields of the classes in `script.py`; both lists may be left out.
"""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from shared.testing.scripted_provider.script import Action, Rule, Script


class _RuleEntry(BaseModel):
    model_config = ConfigDict(extra="forbid")

    then: Annotated[Action, Field(discriminator="type")]
    user_contains: str | None = None
    has_tool_results: bool | None = None
    model: str | None = None
    times: int | None = None
    tool_results: int | None = None


class _ScriptFile(BaseModel):
    model_config = ConfigDict(extra="forbid")

    queue: list[Annotated[Action, Field(discriminator="type")]] = []
    rules: list[_RuleEntry] = []


def load(path: Path) -> Script:
    """Return the script of a file. Raises OSError, or ValueError that names the wrong field."""
    parsed = _ScriptFile.model_validate_json(path.read_bytes())
    rules = [Rule(e.then, e.user_contains, e.has_tool_results, e.model, e.times, e.tool_results) for e in parsed.rules]
    return Script(deque(parsed.queue), rules)
