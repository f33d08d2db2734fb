"""Writes whole answers as OpenAI's `chat.completion`, and what streams share with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from provider_router.domain.calls.answer import Answer
from provider_router.domain.calls.chat import FinishReason, ToolCall
from provider_router.domain.calls.content import Part, RefusalPart, TextPart, ThinkingPart
from provider_router.domain.calls.usage import TokenUsage
from provider_router.servicer.http.surface import told_model


def completion_body(answer: Answer, answer_id: str, created_s: int) -> bytes:
    """The JSON body of a whole answer.

    Args:
        answer: What was answered.
        answer_id: Of the answer.
        created_s: When it was made, seconds since 1970.
    """
    parts = answer.message.parts
    refusal = _joined(parts, RefusalPart)
    body: dict[str, Any] = {
        "id": answer_id,
        "object": "chat.completion",
        "created": created_s,
        "model": told_model(answer.model),
        "choices": [
            {
                "index": 0,
                "message": _message(answer, refusal),
                "logprobs": None,
                "finish_reason": finish_word(answer.finish_reason, refused=bool(refusal)),
            }
        ],
    }
    if answer.usage is not None:
        body["usage"] = usage_object(answer.usage)
    return orjson.dumps(body)


def finish_word(reason: FinishReason, *, refused: bool) -> str:
    """OpenAI's word for `reason`: a refusal that the model put into words ends like any other answer."""
    return "stop" if refused and reason is FinishReason.CONTENT_FILTER else reason.value


def usage_object(usage: TokenUsage) -> Mapping[str, Any]:
    """`usage` as OpenAI counts."""
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": {
            "cached_tokens": usage.cached_input_tokens,
            "cache_write_tokens": usage.cache_write_input_tokens,
        },
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }


def _message(answer: Answer, refusal: str) -> Mapping[str, Any]:
    said = answer.message
    text = _joined(said.parts, TextPart) if said.parts else said.text
    message: dict[str, Any] = {
        "role": "assistant",
        "content": text if text or not (said.tool_calls or refusal) else None,
        "refusal": refusal or None,
    }
    thoughts = _joined(said.parts, ThinkingPart)
    if thoughts:
        message["reasoning_content"] = thoughts
    if said.tool_calls:
        message["tool_calls"] = [_call(call) for call in said.tool_calls]
    return message


def _call(call: ToolCall) -> Mapping[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments_json}}


def _joined(parts: tuple[Part, ...], kind: type[TextPart | RefusalPart | ThinkingPart]) -> str:
    return "".join(part.text for part in parts if isinstance(part, kind))
