"""What comes back from an MCP server's tool, resource or prompt: data of a stranger, never instructions."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TextPart:
    """Some text."""

    text: str


@dataclass(frozen=True, slots=True)
class BytesPart:
    """A picture, a sound or a file; `kind` is `image`, `audio` or `resource`, `name` may be empty."""

    kind: str
    media_type: str
    data: bytes
    name: str = ""


@dataclass(frozen=True, slots=True)
class LinkPart:
    """A resource that is named and not sent along."""

    uri: str
    name: str
    media_type: str


Part = TextPart | BytesPart | LinkPart


@dataclass(frozen=True, slots=True)
class CallOutcome:
    """How a tool call ended.

    Args:
        parts: what it said, in order.
        structured: its structured output; None when it gave none.
        is_error: whether the tool says that it failed.
    """

    parts: tuple[Part, ...]
    structured: object
    is_error: bool


@dataclass(frozen=True, slots=True)
class ResourceContent:
    """What a resource says: a text, or bytes with an empty text.

    Args:
        text: the text.
        data: the bytes.
        media_type: empty when unknown.
        is_truncated: whether something was cut off.
    """

    text: str
    data: bytes
    media_type: str
    is_truncated: bool


@dataclass(frozen=True, slots=True)
class PromptMessage:
    """A message of a prompt; `role` is `user` or `assistant`."""

    role: str
    text: str
