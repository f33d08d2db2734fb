"""What an MCP server offers, and what of it is taken in: a server's words are a stranger's."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

from tool_executor.domain.mcp_names import tool_names
from tool_executor.domain.mcp_schema import SchemaRefusedError, require_bounded
from tool_executor.domain.tool_definition import JsonObject

MAX_TOOLS = 500
MAX_RESOURCES = 2_000
MAX_PROMPTS = 500
_MAX_NAME_CHARS = 256
_MAX_SCHEMA_BYTES = 4_194_304
_MAX_DESCRIPTION_CHARS = 2_000
_MAX_NOTES = 20
_WORDS = frozenset({"title", "description", "$comment"})
_LAYOUT = "\n\t "
# Control, format (invisible and writing direction), private use, surrogates, unassigned.
_UNSEEN = frozenset({"Cc", "Cf", "Co", "Cs", "Cn"})


@dataclass(frozen=True, slots=True)
class OfferedTool:
    """A tool as its server describes it.

    Args:
        original: the name that the server gives it.
        description: what the server says of it.
        input_schema: JSON Schema of its arguments.
        output_schema: JSON Schema of its structured output; None when the server gives none.
        claims_read_only: whether the server says that it changes nothing, which is a claim; None when it does not say.
    """

    original: str
    description: str
    input_schema: JsonObject
    output_schema: JsonObject | None
    claims_read_only: bool | None

    @property
    def digest(self) -> str:
        """SHA-256 over all that a model is told of it, and what it claims."""
        told = (self.description, self.input_schema, self.output_schema, self.claims_read_only)
        return hashlib.sha256(json.dumps(told, sort_keys=True, ensure_ascii=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class NamedTool:
    """A tool that was taken in, under the name that it has in the registry, with its digest."""

    name: str
    tool: OfferedTool
    digest: str


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource of a server; the media type is empty when unknown."""

    uri: str
    name: str
    description: str
    media_type: str


@dataclass(frozen=True, slots=True)
class PromptArgument:
    """An argument of a prompt."""

    name: str
    description: str
    required: bool


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt of a server."""

    name: str
    description: str
    arguments: tuple[PromptArgument, ...]


@dataclass(frozen=True, slots=True)
class Offer:
    """All that a server listed, at most so much as the limits say; `notes` tell what was left out."""

    implementation: str
    tools: tuple[OfferedTool, ...] = ()
    resources: tuple[Resource, ...] = ()
    prompts: tuple[Prompt, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Catalog:
    """What was taken in of an offer.

    Args:
        implementation: what the server calls itself.
        tools: the tools, by their names in the registry.
        resources: the resources.
        prompts: the prompts.
        notes: what the owner should look at: tools that were refused, and tools that are not what they were.
    """

    implementation: str = ""
    tools: tuple[NamedTool, ...] = ()
    resources: tuple[Resource, ...] = ()
    prompts: tuple[Prompt, ...] = ()
    notes: tuple[str, ...] = ()


NOTHING = Catalog()


def admit(server: str, offer: Offer, pins: Mapping[str, str], is_taken: Callable[[str], bool]) -> Catalog:
    """Return what is taken in of the `offer` of the server called `server`.

    Args:
        server: the prefix of its tools.
        offer: what it listed.
        pins: digests of the tools as they were first seen, by original name.
        is_taken: whether a name belongs to a tool of Nexus itself.
    """
    notes = [*offer.notes]
    kept: dict[str, OfferedTool] = {}
    left_bytes = _MAX_SCHEMA_BYTES
    for tool in offer.tools:
        try:
            left_bytes = _taken_in(tool, kept, left_bytes)
        except SchemaRefusedError as why:
            notes.append(f"the tool {_shown(tool.original)} was refused: {why}")
        else:
            kept[tool.original] = replace(
                tool,
                input_schema=_readable(tool.input_schema),
                output_schema=None if tool.output_schema is None else _readable(tool.output_schema),
            )
    digests = {name: tool.digest for name, tool in kept.items()}
    changed = [name for name, digest in digests.items() if pins.get(name, digest) != digest]
    notes[:0] = [f"the tool {_shown(name)} is not what it was when it was first seen" for name in changed]
    names = tool_names(server, list(kept), is_taken)
    tools = sorted((NamedTool(names[n], tool, digests[n]) for n, tool in kept.items()), key=lambda each: each.name)
    return Catalog(offer.implementation, tuple(tools), offer.resources, offer.prompts, _few(notes))


def plain(text: str, limit: int = _MAX_DESCRIPTION_CHARS) -> str:
    """Return `text` without characters that nobody sees, and cut to `limit` characters."""
    seen = "".join(c for c in text[: 2 * limit] if c in _LAYOUT or unicodedata.category(c) not in _UNSEEN)
    return seen if len(seen) <= limit else seen[: limit - 1] + "…"


def _readable(schema: JsonObject) -> JsonObject:
    """Return `schema`, whose depth is bounded, with what it says to readers as plain as descriptions are."""
    return {
        key: plain(value) if key in _WORDS and isinstance(value, str) else _readable_part(value)
        for key, value in schema.items()
    }


def _readable_part(part: object) -> object:
    if isinstance(part, dict):
        return _readable(cast("JsonObject", part))
    return [_readable_part(each) for each in cast("list[object]", part)] if isinstance(part, list) else part


def _taken_in(tool: OfferedTool, kept: Mapping[str, OfferedTool], left_bytes: int) -> int:
    """Return how many bytes of schemas may still come after those of `tool`.

    Raises:
        SchemaRefusedError: when the tool is not taken in, with the reason.
    """
    if not tool.original or len(tool.original) > _MAX_NAME_CHARS:
        raise SchemaRefusedError(f"its name is empty or longer than {_MAX_NAME_CHARS} characters")
    if tool.original in kept:
        raise SchemaRefusedError("another one has its name")
    left_bytes -= require_bounded(tool.input_schema, is_of_object=True)
    if tool.output_schema is not None:
        left_bytes -= require_bounded(tool.output_schema, is_of_object=False)
    if left_bytes < 0:
        raise SchemaRefusedError(f"the schemas of all tools are larger than {_MAX_SCHEMA_BYTES} bytes together")
    return left_bytes


def _shown(name: str) -> str:
    return repr(plain(name, 64))


def _few(notes: Sequence[str]) -> tuple[str, ...]:
    if len(notes) <= _MAX_NOTES:
        return tuple(notes)
    return (*notes[: _MAX_NOTES - 1], f"and {len(notes) - _MAX_NOTES + 1} more")
