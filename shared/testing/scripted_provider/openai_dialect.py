"""The OpenAI chat completions dialect (POST /v1/chat/completions)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain, zip_longest
from typing import Any, cast

import orjson

from shared.testing.scripted_provider.dialect import Answer, Frames, pieces
from shared.testing.scripted_provider.request import JsonObject, ProviderRequest, ToolResult
from shared.testing.scripted_provider.script import Reply, ToolCall, Usage

_CREATED_S = 1_767_225_600  # a fixed Unix time: answers are the same in every run
_ERROR_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
}


class OpenAIDialect:
    """Implements `Dialect` for OpenAI-compatible clients."""

    def read(self, path: str, body: JsonObject, headers: Mapping[str, str]) -> ProviderRequest:
        """Return the request. Raises KeyError, TypeError or AttributeError for a malformed body."""
        messages = cast("list[JsonObject]", body["messages"])
        last_user = max((i for i, m in enumerate(messages) if m["role"] == "user"), default=-1)
        tools: list[JsonObject] = body.get("tools") or []
        functions: list[JsonObject] = [tool["function"] for tool in tools]
        stream_options: JsonObject = body.get("stream_options") or {}
        return ProviderRequest(
            path=path,
            body=body,
            headers=headers,
            model=body["model"],
            stream=bool(body.get("stream")),
            last_user_text=_text(messages[last_user]["content"]) if last_user >= 0 else "",
            tool_results=tuple(_tool_results(messages, last_user)),
            tools={function["name"]: function.get("parameters") or {} for function in functions},
            include_usage=bool(stream_options.get("include_usage")),
        )

    def frames(self, answer: Answer) -> Frames:
        """Return the answer as a stream."""
        reply = answer.reply
        deltas: list[JsonObject] = [{"content": piece} for piece in pieces(reply.text, reply.chunk_size)]
        finish = [self._chunk(answer, choices=[_choice({}, reply.finish())])]
        if answer.usage is not None and answer.request.include_usage:
            finish.append(self._chunk(answer, choices=[], usage=_usage(answer.usage)))
        return Frames(
            opening=(self._chunk(answer, choices=[_choice({"role": "assistant", "content": ""}, None)]),),
            content=tuple(
                self._chunk(answer, choices=[_choice(delta, None)]) for delta in chain(deltas, _tool_call_deltas(reply))
            ),
            finish=tuple(finish),
            end=(b"data: [DONE]\n\n",),
        )

    def whole(self, answer: Answer) -> JsonObject:
        """Return the answer as one object."""
        reply = answer.reply
        message: JsonObject = {"role": "assistant", "content": reply.text or None}
        if reply.tool_calls:
            message["tool_calls"] = [
                {"id": call.call_id, "type": "function", "function": _function(call)} for call in reply.calls()
            ]
        body: JsonObject = {
            "id": answer.response_id,
            "object": "chat.completion",
            "created": _CREATED_S,
            "model": answer.request.model,
            "choices": [{"index": 0, "message": message, "finish_reason": reply.finish()}],
        }
        return body if answer.usage is None else body | {"usage": _usage(answer.usage)}

    def error(self, status: int, message: str) -> JsonObject:
        """Return an error body for an HTTP status."""
        kind = _ERROR_TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")
        return {"error": {"message": message, "type": kind, "param": None, "code": None}}

    def error_event(self, message: str) -> bytes:
        """Return an error as an event within a stream."""
        return b"data: " + orjson.dumps(self.error(500, message)) + b"\n\n"

    def _chunk(self, answer: Answer, **fields: Any) -> bytes:
        chunk = {
            "id": answer.response_id,
            "object": "chat.completion.chunk",
            "created": _CREATED_S,
            "model": answer.request.model,
            **fields,
        }
        return b"data: " + orjson.dumps(chunk) + b"\n\n"


def _text(content: str | list[JsonObject] | None) -> str:
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content or [])


def _tool_results(messages: list[JsonObject], last_user: int) -> Iterator[ToolResult]:
    names: dict[str, str] = {}
    for message in messages[last_user + 1 :]:
        calls: list[JsonObject] = message.get("tool_calls") or []
        for call in calls:
            names[call["id"]] = call["function"]["name"]
        if message["role"] == "tool":
            call_id = message["tool_call_id"]
            yield ToolResult(call_id, names.get(call_id, ""), _text(message["content"]))


def _choice(delta: JsonObject, finish_reason: str | None) -> JsonObject:
    return {"index": 0, "delta": delta, "finish_reason": finish_reason}


def _function(call: ToolCall) -> JsonObject:
    return {"name": call.name, "arguments": call.arguments_json}


def _tool_call_deltas(reply: Reply) -> Iterator[JsonObject]:
    streams = [_one_call(index, call, reply.chunk_size) for index, call in enumerate(reply.calls())]
    rounds = zip_longest(*streams, fillvalue=None) if reply.interleave else streams
    return ({"tool_calls": [fragment]} for fragment in chain.from_iterable(rounds) if fragment)


def _one_call(index: int, call: ToolCall, size: int) -> list[JsonObject]:
    head: JsonObject = {
        "index": index,
        "id": call.call_id,
        "type": "function",
        "function": {"name": call.name, "arguments": ""},
    }
    return [
        head,
        *({"index": index, "function": {"arguments": piece}} for piece in pieces(call.arguments_json, size)),
    ]


def _usage(usage: Usage) -> JsonObject:
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens + usage.unlisted_tokens,
        "prompt_tokens_details": {
            "cached_tokens": usage.cached_input_tokens,
            "cache_write_tokens": usage.cache_write_input_tokens,
        },
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }
