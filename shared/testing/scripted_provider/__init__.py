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
from shared.testing.scripted_provider.request import ProviderRequest, ToolResult
from shared.testing.scripted_provider.script import (
    Action,
    DuplicateFinish,
    EmptyBody,
    EndlessStream,
    ErrorInStream,
    Garbage,
    Hang,
    MissingUsage,
    Reply,
    Reset,
    Rule,
    Script,
    Status,
    ToolCall,
    Truncate,
    Usage,
    WrongContentType,
)
from shared.testing.scripted_provider.server import ScriptedProvider

__all__ = [
    "DIMENSIONS",
    "Action",
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
    "WrongContentType",
    "embed",
]
