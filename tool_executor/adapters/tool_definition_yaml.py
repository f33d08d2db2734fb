"""Reads the definitions of the built-in tools, data files beside this module."""

from __future__ import annotations

from importlib import resources
from importlib.resources.abc import Traversable
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
    permissions: list[Annotated[str, Field(pattern=r"^[a-z]+\.[a-z]+$")]] = []
    cost_micro_usd: Annotated[int, Field(ge=0)] = 0
    calls_per_minute: Annotated[int, Field(ge=0)] = 0
    calls_per_day: Annotated[int, Field(ge=0)] = 0
    supports_dry_run: bool = False


DEFINITIONS: Traversable = resources.files("tool_executor.adapters") / "definitions"


def load_definition(name: str) -> ToolDefinition:
    """Return the definition in `definitions/<name>.yaml` as it is now.

    Raises:
        PreconditionFailed: with reason TOOL_DEFINITION_INVALID when it is missing or wrong.
    """
    document = _document(name)
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
        permissions=tuple(document.permissions),
        cost_micro_usd=document.cost_micro_usd,
        calls_per_minute=document.calls_per_minute,
        calls_per_day=document.calls_per_day,
        supports_dry_run=document.supports_dry_run,
    )


def _document(name: str) -> _Document:
    try:
        document = _Document.model_validate(yaml.safe_load((DEFINITIONS / f"{name}.yaml").read_text("utf-8")))
    except ValidationError as error:
        found = "; ".join(f"{'.'.join(map(str, each['loc'])) or 'document'}: {each['msg']}" for each in error.errors())
        raise _invalid(name, found) from error
    except yaml.MarkedYAMLError as error:
        at = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise _invalid(name, f"{at}{error.problem}") from error
    except OSError as error:
        raise _invalid(name, error.strerror or "it cannot be read") from error
    except (yaml.YAMLError, UnicodeError) as error:
        raise _invalid(name, "it is no text in YAML") from error
    if document.name != name:
        raise _invalid(name, f"name: is {document.name!r}, and the file's name says {name!r}")
    return document


def _invalid(name: str, why: str) -> PreconditionFailed:
    return PreconditionFailed(
        "TOOL_DEFINITION_INVALID", f"definitions/{name}.yaml cannot be used: {why}.", metadata={"tool": name}
    )
