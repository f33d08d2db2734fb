"""The texts that the agent says or tells a model, kept as versioned template files."""

from __future__ import annotations

from typing import Protocol

from orchestrator.domain.prompts import Prompt


class PromptBook(Protocol):
    """Renders templates."""

    def render(self, prompt: Prompt) -> str:
        """Return the text of the prompt's template with its variables filled in, without a newline at the end."""
        ...
