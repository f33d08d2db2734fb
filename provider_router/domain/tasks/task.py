"""Task classes: what kind of work a request asks for."""

from __future__ import annotations

TASK_CLASSES = (
    "general",
    "code",
    "math",
    "reasoning",
    "extraction",
    "summarization",
    "translation",
    "writing",
    "knowledge",
    "agentic",
    "classification",
)
"""Every task class. `general` is the one of a request that shows signs of no other. Contracts may state a quality for
each; rewards are learned for each."""

GENERAL = TASK_CLASSES[0]
