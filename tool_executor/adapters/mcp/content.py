"""Messages of the SDK as what the domain knows."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable

import mcp_types as types

from tool_executor.domain.mcp_catalog import OfferedTool, Prompt, PromptArgument, Resource, plain
from tool_executor.domain.mcp_result import (
    BytesPart,
    CallOutcome,
    LinkPart,
    Part,
    PromptMessage,
    ResourceContent,
    TextPart,
)

_MAX_PARTS = 200
_MAX_NAME_CHARS = 256
_MAX_ARGUMENTS = 64
_MAX_TYPE_CHARS = 128


def tool_of(tool: types.Tool) -> OfferedTool:
    """Return a listed tool."""
    claims = tool.annotations
    title = tool.title or (claims.title if claims else None) or ""
    return OfferedTool(
        original=tool.name,
        description=plain(tool.description or title or tool.name),
        input_schema=tool.input_schema,
        output_schema=tool.output_schema,
        claims_read_only=claims.read_only_hint if claims else None,
    )


def resource_of(resource: types.Resource) -> Resource:
    """Return a listed resource. Its URI is not cut: it would be another one."""
    return Resource(
        resource.uri,
        plain(resource.name, _MAX_NAME_CHARS),
        plain(resource.description or ""),
        plain(resource.mime_type or "", _MAX_TYPE_CHARS),
    )


def prompt_of(prompt: types.Prompt) -> Prompt:
    """Return a listed prompt."""
    arguments = tuple(
        PromptArgument(plain(each.name, _MAX_NAME_CHARS), plain(each.description or ""), bool(each.required))
        for each in (prompt.arguments or [])[:_MAX_ARGUMENTS]
    )
    return Prompt(plain(prompt.name, _MAX_NAME_CHARS), plain(prompt.description or ""), arguments)


def outcome_of(result: types.CallToolResult) -> CallOutcome:
    """Return how a call ended."""
    return CallOutcome(_parts(result.content), result.structured_content, result.is_error)


def content_of(result: types.ReadResourceResult, limit_bytes: int) -> ResourceContent:
    """Return what a resource says: its texts together, or else its first bytes; cut to `limit_bytes`."""
    first = result.contents[0].mime_type if result.contents else None
    media_type = plain(first or "", _MAX_TYPE_CHARS)
    texts = [each.text for each in result.contents if isinstance(each, types.TextResourceContents)]
    if texts:
        whole = "\n".join(texts).encode("utf-8", "replace")
        text = whole[:limit_bytes].decode("utf-8", "ignore")
        is_cut = len(whole) > limit_bytes or len(texts) < len(result.contents)
        return ResourceContent(text, b"", media_type, is_cut)
    data = b""
    if result.contents and isinstance(result.contents[0], types.BlobResourceContents):
        data = _decoded(result.contents[0].blob) or b""
    is_cut = len(data) > limit_bytes or len(result.contents) > 1
    return ResourceContent("", data[:limit_bytes], media_type, is_cut)


def messages_of(result: types.GetPromptResult) -> tuple[PromptMessage, ...]:
    """Return the messages of a prompt; what is no text in them is described."""
    return tuple(
        PromptMessage(message.role, "\n".join(map(_told, _parts([message.content]))))
        for message in result.messages[:_MAX_PARTS]
    )


def _parts(blocks: Iterable[types.ContentBlock]) -> tuple[Part, ...]:
    parts = [_part(block) for block in list(blocks)[:_MAX_PARTS]]
    return tuple(parts)


def _part(block: types.ContentBlock) -> Part:
    match block:
        case types.TextContent():
            return TextPart(block.text)
        case types.ImageContent():
            return _bytes("image", block.mime_type, block.data)
        case types.AudioContent():
            return _bytes("audio", block.mime_type, block.data)
        case types.ResourceLink():
            linked = resource_of(block)
            return LinkPart(linked.uri, linked.name, linked.media_type)
        case types.EmbeddedResource():
            inner = block.resource
            if isinstance(inner, types.TextResourceContents):
                return TextPart(inner.text)
            name = plain(inner.uri.rstrip("/").rpartition("/")[2], _MAX_NAME_CHARS)
            return _bytes("resource", inner.mime_type or "", inner.blob, name)


def _bytes(kind: str, media_type: str, text: str, name: str = "") -> Part:
    data = _decoded(text)
    if data is None:
        return TextPart(f"[{kind} whose data is no base64]")
    return BytesPart(kind, plain(media_type, _MAX_TYPE_CHARS), data, name)


def _decoded(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


def _told(part: Part) -> str:
    match part:
        case TextPart():
            return part.text
        case BytesPart():
            return f"[{part.kind} {part.media_type}, {len(part.data)} bytes]"
        case LinkPart():
            return f"[resource {part.uri}]"
