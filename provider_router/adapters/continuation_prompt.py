"""The prompt that asks a model to go on with another one's answer."""

from __future__ import annotations

from pathlib import Path

_FILE = Path(__file__).parent / "prompts" / "continue_answer.v1.txt"


def continuation_instruction() -> str:
    """The instruction; it has no variables. Blocks: to be read once, when the router is wired."""
    return _FILE.read_text(encoding="utf-8").strip()
