"""Prompts from the template files beside this module."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from importlib import resources
from string import Template

from orchestrator.domain import prompts
from orchestrator.domain.prompts import Prompt

FOLDER = "prompts"


class FilePromptBook:
    """`PromptBook` over `prompts/<template>.txt` with `${variable}` in them, all read when it is made.

    Raises:
        ValueError: when a template is missing or its variables are not the fields of its class.
    """

    def __init__(self) -> None:
        self._templates = {kind.template: _load(kind) for kind in kinds()}

    def render(self, prompt: Prompt) -> str:
        """See `PromptBook.render`."""
        return self._templates[prompt.template].substitute(
            {field.name: getattr(prompt, field.name) for field in dataclasses.fields(prompt)}
        )


def kinds() -> Iterable[type[Prompt]]:
    """Return the classes of all prompts."""
    found = (value for value in vars(prompts).values() if isinstance(value, type))
    return [kind for kind in found if issubclass(kind, Prompt) and kind is not Prompt]


def _load(kind: type[Prompt]) -> Template:
    file = resources.files("orchestrator.adapters") / FOLDER / f"{kind.template}.txt"
    template = Template(file.read_text(encoding="utf-8").rstrip("\n"))
    wanted = {field.name for field in dataclasses.fields(kind)}
    if set(template.get_identifiers()) != wanted:
        raise ValueError(f"template {kind.template} must have exactly the variables {sorted(wanted)}")
    return template
