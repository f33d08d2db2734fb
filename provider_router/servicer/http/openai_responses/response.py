"""The `response` object: what was asked for, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from provider_router.domain.calls.usage import TokenUsage

# What is told back as it was asked, and what stands there where nothing was.
_ECHOED: Mapping[str, Any] = {
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "prompt_cache_key": None,
    "prompt_cache_retention": None,
    "safety_identifier": None,
    "service_tier": "default",
    "temperature": None,
    "tool_choice": "auto",
    "top_logprobs": 0,
    "top_p": None,
    "truncation": "disabled",
    "user": None,
}
_PLAIN_TEXT = {"type": "text"}


def begun(fields: Mapping[str, Any], response_id: str, created_at: int) -> dict[str, Any]:
    """A response to the body `fields` of which nothing is there yet."""
    echoed = {name: default if fields.get(name) is None else fields[name] for name, default in _ECHOED.items()}
    reasoning: Mapping[str, Any] = fields.get("reasoning") or {}
    return {
        "id": response_id,
        "object": "response",
        "created_at": created_at,
        "status": "in_progress",
        "background": False,
        "error": None,
        "incomplete_details": None,
        "output": [],
        "previous_response_id": None,
        "store": False,
        "usage": None,
        **echoed,
        "reasoning": {"effort": None, "summary": None, **reasoning},
        "text": {"format": _PLAIN_TEXT, **{key: value for key, value in _text(fields).items() if value is not None}},
        "tools": [_tool(tool) for tool in fields.get("tools") or ()],
    }


def ended(
    response: Mapping[str, Any], model: str, output: list[dict[str, Any]], why: str, usage: TokenUsage | None
) -> dict[str, Any]:
    """`response` at its end.

    Args:
        response: As it began.
        model: That answered.
        output: All its items.
        why: It is incomplete; empty where it is not.
        usage: Its tokens; None where nobody counted.
    """
    return {
        **response,
        "model": model,
        "status": "incomplete" if why else "completed",
        "incomplete_details": {"reason": why} if why else None,
        "output": output,
        "usage": None if usage is None else _usage(usage),
    }


def _text(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    return fields.get("text") or {}


def _tool(tool: Mapping[str, Any]) -> Mapping[str, Any]:
    if tool.get("type") != "function":
        return tool
    return {"description": None, "parameters": None, "strict": None, **tool}


def _usage(usage: TokenUsage) -> dict[str, Any]:
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {
            "cached_tokens": usage.cached_input_tokens,
            "cache_write_tokens": usage.cache_write_input_tokens,
        },
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }
