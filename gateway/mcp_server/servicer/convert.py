"""What the use cases give, in the words of MCP."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from typing import Any, cast

import mcp_types as types

from gateway.mcp_server.domain.artifact import Artifact, text_of
from gateway.mcp_server.domain.offer import Offer, SideEffect
from gateway.mcp_server.domain.question import INPUT_SCHEMA, OUTPUT_SCHEMA, TOOL
from gateway.mcp_server.domain.tool_outcome import ToolOutcome
from gateway.mcp_server.use_cases.ask_agent import Answer
from gateway.mcp_server.use_cases.show_pictures import Picture
from shared.errors import NexusError

_HINTS: Mapping[SideEffect, types.ToolAnnotations] = {
    SideEffect.READ: types.ToolAnnotations(read_only_hint=True),
    SideEffect.WRITE: types.ToolAnnotations(read_only_hint=False, destructive_hint=True, open_world_hint=False),
    SideEffect.EXTERNAL: types.ToolAnnotations(read_only_hint=False, destructive_hint=True, open_world_hint=True),
    SideEffect.PAYMENT: types.ToolAnnotations(
        read_only_hint=False, destructive_hint=True, idempotent_hint=False, open_world_hint=True
    ),
}
# Asks clients to repeat an argument in a header, which is to be checked against it: no tool of ours wants that.
_HEADER_KEY = "x-mcp-header"
REASON_KEY = "nexus/reason"
"""Under which `_meta` of a failed call has the reason, for programs."""
AGENT = types.Tool(
    name=TOOL,
    title="Ask the Nexus agent",
    description=(
        "Has the agent of Nexus answer a question or do a task, with its own tools and models, under your permissions."
        " It tells its progress while it works, and is cancelled with the call."
    ),
    input_schema=dict(INPUT_SCHEMA),
    output_schema=dict(OUTPUT_SCHEMA),
    # It calls any tool that the caller may call.
    annotations=_HINTS[SideEffect.PAYMENT],
)


def tool_of(offer: Offer) -> types.Tool | None:
    """Return `offer` as a tool; None where its schema is none that MCP has a place for."""
    arguments = _object_schema(offer.input_schema)
    if arguments is None:
        return None
    return types.Tool(
        name=offer.name,
        description=offer.description,
        input_schema=arguments,
        output_schema=_object_schema(offer.output_schema),
        annotations=_HINTS[offer.side_effect],
    )


def result_of_tool(outcome: ToolOutcome, pictures: Iterable[Picture]) -> types.CallToolResult:
    """Return a tool's outcome as a result, with the `pictures` that it left.

    What does not fit the tool's schema any more is an error.
    """
    output = _parsed(outcome.output_json)
    fits = isinstance(output, dict) and not (
        outcome.is_cut and set(cast("dict[str, Any]", output)) == {"truncated_text"}
    )
    if outcome.is_ok and (fits or not outcome.is_cut):
        structured = cast("dict[str, Any]", output) if isinstance(output, dict) else None
        return types.CallToolResult(
            content=[
                _text(outcome.output_json or outcome.summary),
                *map(_image, pictures),
                *links_to(outcome.artifacts),
            ],
            structured_content=structured,
        )
    reason = "OUTPUT_CUT" if outcome.is_ok else outcome.reason
    said = "The output was too large and is cut." if outcome.is_ok else outcome.summary
    texts = [said, outcome.output_json] if output else [said]
    return _failed(reason, texts, outcome.artifacts)


def result_of_answer(answer: Answer, pictures: Iterable[Picture]) -> types.CallToolResult:
    """Return the agent's answer as a result, with the `pictures` that its run left."""
    if answer.broke is not None:
        texts = [f"{answer.broke.message} (run {answer.run_id}, conversation {answer.conversation_id})"]
        return _failed(answer.broke.reason, [*texts, answer.answer] if answer.answer else texts, answer.artifacts)
    return types.CallToolResult(
        content=[_text(answer.answer), *map(_image, pictures), *links_to(answer.artifacts)],
        structured_content={
            "answer": answer.answer,
            "run_id": answer.run_id,
            "conversation_id": answer.conversation_id,
            **({"warnings": list(answer.warnings)} if answer.warnings else {}),
        },
    )


def result_of_error(error: NexusError) -> types.CallToolResult:
    """Return why a tool was not run as a result, so that a model sees it."""
    again = f" Try again in {error.retry_after_s:g} s." if error.retry_after_s else ""
    return _failed(error.reason, [error.message + again], ())


def resource_of(artifact: Artifact) -> types.Resource:
    """Return `artifact` as a resource."""
    return types.Resource(uri=artifact.uri, name=artifact.name, mime_type=artifact.media_type, size=artifact.size_bytes)


def links_to(artifacts: Iterable[Artifact]) -> list[types.ContentBlock]:
    """Return `artifacts` as links for the content of a result."""
    return [
        types.ResourceLink(
            uri=artifact.uri, name=artifact.name, mime_type=artifact.media_type, size=artifact.size_bytes
        )
        for artifact in artifacts
    ]


def contents_of(artifact: Artifact, data: bytes) -> types.TextResourceContents | types.BlobResourceContents:
    """Return the bytes of `artifact` as the contents of a resource: as text where they are text."""
    text = text_of(artifact, data)
    if text is None:
        blob = base64.b64encode(data).decode()
        return types.BlobResourceContents(uri=artifact.uri, mime_type=artifact.media_type, blob=blob)
    return types.TextResourceContents(uri=artifact.uri, mime_type=artifact.media_type, text=text)


def _failed(reason: str, texts: Iterable[str], artifacts: Iterable[Artifact]) -> types.CallToolResult:
    first, *rest = texts
    return types.CallToolResult(
        content=[_text(f"{reason}: {first}"), *map(_text, rest), *links_to(artifacts)],
        is_error=True,
        _meta={REASON_KEY: reason},
    )


def _text(text: str) -> types.ContentBlock:
    return types.TextContent(text=text)


def _image(picture: Picture) -> types.ContentBlock:
    return types.ImageContent(data=base64.b64encode(picture.data).decode(), mime_type=picture.media_type)


def _object_schema(text: str) -> dict[str, Any] | None:
    schema = _parsed(text)
    if not isinstance(schema, dict):
        return None
    found = cast("dict[str, Any]", schema)
    if _HEADER_KEY in text:
        _drop(found, _HEADER_KEY)
    return found if found.get("type") == "object" else None


def _drop(value: object, key: str) -> None:
    """Take `key` out of all objects in `value`."""
    if isinstance(value, dict):
        fields = cast("dict[str, object]", value)
        fields.pop(key, None)
        value = list(fields.values())
    for inner in cast("list[object]", value) if isinstance(value, list) else ():
        _drop(inner, key)


def _parsed(text: str) -> object:
    try:
        return json.loads(text) if text else None
    except ValueError:
        return None
