"""Writes whole answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from provider_router.domain.calls.answer import Answer
from provider_router.domain.calls.chat import FinishReason, Message, ToolCall
from provider_router.domain.calls.content import Part, RefusalPart, TextPart, ThinkingPart
from provider_router.domain.calls.lone_surrogates import without_lone_surrogates
from provider_router.domain.calls.usage import TokenUsage
from provider_router.domain.errors import Reason, failure
from provider_router.servicer.http.surface import told_model

_STOP_REASONS: Mapping[FinishReason, str] = {
    FinishReason.STOP: "end_turn",
    FinishReason.LENGTH: "max_tokens",
    FinishReason.TOOL_CALLS: "tool_use",
    FinishReason.CONTENT_FILTER: "refusal",
}


def message_body(answer: Answer, message_id: str) -> bytes:
    """Returns the `message` of `answer`.

    Raises:
        UpstreamDown: PROVIDER_BAD_RESPONSE, when arguments of a tool call are no JSON object.
    """
    cut = answer.finish_reason is FinishReason.LENGTH
    content = [*_blocks(answer.message), *(_call(call, cut=cut) for call in answer.message.tool_calls)]
    body = opening_message(message_id, told_model(answer.model))
    body["content"] = content
    body["stop_reason"] = stop_reason(answer.finish_reason, answer.stop_text)
    body["stop_sequence"] = answer.stop_text or None
    body["usage"] = usage_fields(answer.usage)
    return orjson.dumps(body)


def opening_message(message_id: str, model: str) -> dict[str, Any]:
    """A message of which nothing is said yet."""
    return {
        "id": message_id,
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage_fields(None),
    }


def stop_reason(finish: FinishReason, stop_text: str) -> str:
    """The dialect's word for why a model stopped."""
    return "stop_sequence" if stop_text and finish is FinishReason.STOP else _STOP_REASONS[finish]


def usage_fields(usage: TokenUsage | None) -> dict[str, Any]:
    """`usage`, which stands in every message: zeros where nobody counted. What was cached counts beside the rest."""
    used = usage or TokenUsage()
    fields: dict[str, Any] = {
        "input_tokens": used.plain_input_tokens,
        "cache_creation_input_tokens": used.cache_write_input_tokens,
        "cache_read_input_tokens": used.cached_input_tokens,
        "output_tokens": used.output_tokens,
    }
    if used.reasoning_tokens:
        fields["output_tokens_details"] = {"thinking_tokens": used.reasoning_tokens}
    return fields


def _blocks(message: Message) -> Iterator[dict[str, Any]]:
    parts: tuple[Part, ...] = message.parts or ((TextPart(message.text),) if message.text else ())
    for part in parts:
        match part:
            case TextPart() | RefusalPart():
                yield {"type": "text", "text": part.text}
            case ThinkingPart(redacted=redacted) if redacted:
                yield {"type": "redacted_thinking", "data": redacted}
            case ThinkingPart():
                yield {"type": "thinking", "thinking": part.text, "signature": part.signature}
            case _:
                # Models answer in words only.
                pass


def _call(call: ToolCall, *, cut: bool) -> dict[str, Any]:
    """A tool call; its input is empty where the answer's limit cut it off."""
    return {"type": "tool_use", "id": call.id, "name": call.name, "input": _input(call.arguments_json, cut=cut)}


def _input(arguments_json: str, *, cut: bool) -> Any:
    written = arguments_json.encode() or b"{}"
    if b"\\u" in written:
        written = without_lone_surrogates(written)
    try:
        value = orjson.loads(written)
    except orjson.JSONDecodeError:
        value = None
    if isinstance(value, dict):
        # As it is written: JSON may be read deeper than it can be written again.
        return orjson.Fragment(written)
    if cut:
        return {}
    raise failure(Reason.PROVIDER_BAD_RESPONSE, "The model called a tool with arguments that are no JSON object.")
