"""A model provider that does as told: a real HTTP server for tests, benchmarks and first tries.

```python
async with ScriptedProvider() as provider:
    provider.script(Status(503), Reply("Hello"))
    ...  # point any OpenAI client at provider.base_url
    assert provider.requests[0].last_user_text == "Hi"
```
"""

from __future__ import annotations

from shared.testing.scripted_provider.embeddings import DIMENSIONS, embed
from shared.testing.scripted_provider.recording import Recording
from shared.testing.scripted_provider.reply import Reply, ToolCall, Usage
from shared.testing.scripted_provider.request import Attachment, ProviderRequest, ToolResult, Wishes
from shared.testing.scripted_provider.script import (
    Action,
    DuplicateFinish,
    EmptyBody,
    EndlessStream,
    ErrorInStream,
    Garbage,
    Hang,
    MissingUsage,
    Reset,
    Rule,
    Script,
    Status,
    Truncate,
    WrongContentType,
)
from shared.testing.scripted_provider.server import ScriptedProvider

__all__ = [
    "DIMENSIONS",
    "Action",
    "Attachment",
    "DuplicateFinish",
    "EmptyBody",
    "EndlessStream",
    "ErrorInStream",
    "Garbage",
    "Hang",
    "MissingUsage",
    "ProviderRequest",
    "Recording",
    "Reply",
    "Reset",
    "Rule",
    "Script",
    "ScriptedProvider",
    "Status",
    "ToolCall",
    "ToolResult",
    "Truncate",
    "Usage",
    "Wishes",
    "WrongContentType",
    "embed",
]
