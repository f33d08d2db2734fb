"""Reads the definitions of the built-in tools, data files beside this module."""

from __future__ import annotations

from importlib import resources
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared.errors import PreconditionFailed
from tool_executor.domain.tool_definition import SideEffect, ToolDefinition


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
    version: Annotated[str, Field(pattern=r"^\d+\.\d+\.\d+$")]
    description: Annotated[str, Field(min_length=20, max_length=2_000)]
    side_effect: SideEffect
    timeout_s: Annotated[float, Field(gt=0, le=300)]
    max_concurrency: Annotated[int, Field(ge=1, le=1_000)]
    examples: Annotated[list[str], Field(min_length=1, max_length=30)]
    input_schema: dict[str, object]
    output_schema: dict[str, object]


def load_definition(name: str) -> ToolDefinition:
    """Return the definition in `definitions/<name>.yaml`.

    Raises:
        PreconditionFailed: with reason TOOL_DEFINITION_INVALID when it is missing or wrong.
    """
    try:
        text = (resources.files("tool_executor.adapters") / "definitions" / f"{name}.yaml").read_text("utf-8")
        document = _Document.model_validate(yaml.safe_load(text))
    except (OSError, yaml.YAMLError, ValidationError) as error:
        raise PreconditionFailed(
            "TOOL_DEFINITION_INVALID", f"The definition of the tool {name!r} cannot be used: {error}"
        ) from error
    return ToolDefinition(
        name=document.name,
        version=document.version,
        description=" ".join(document.description.split()),
        input_schema=document.input_schema,
        output_schema=document.output_schema,
        side_effect=document.side_effect,
        timeout_s=document.timeout_s,
        max_concurrency=document.max_concurrency,
        examples=tuple(document.examples),
    )
