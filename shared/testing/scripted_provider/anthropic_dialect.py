"""The Anthropic Messages dialect (POST /v1/messages)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import cast

import orjson

from shared.testing.scripted_provider.dialect import Answer, Frames, pieces
from shared.testing.scripted_provider.request import JsonObject, ProviderRequest, ToolResult
from shared.testing.scripted_provider.script import Reply, Usage

_STOP_REASONS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
}
_ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
    529: "overloaded_error",
}


class AnthropicDialect:
    """Implements `Dialect` for clients of the Messages API."""

    def read(self, path: str, body: JsonObject, headers: Mapping[str, str]) -> ProviderRequest:
        """Return the request. Raises KeyError, TypeError or AttributeError for a malformed body."""
        messages = cast("list[JsonObject]", body["messages"])
        texts = [_user_text(message) for message in messages]
        last_user = max((i for i, text in enumerate(texts) if text), default=-1)
        tools: list[JsonObject] = body.get("tools") or []
        return ProviderRequest(
            path=path,
            body=body,
            headers=headers,
            model=body["model"],
            stream=bool(body.get("stream")),
            last_user_text=texts[last_user] if last_user >= 0 else "",
            tool_results=tuple(_tool_results(messages, last_user)),
            tools={tool["name"]: tool.get("input_schema") or {} for tool in tools},
            include_usage=True,
        )

    def frames(self, answer: Answer) -> Frames:
        """Return the answer as a stream."""
        message = self.whole(answer)
        message["content"], message["stop_reason"] = [], None
        delta: JsonObject = {"stop_reason": _STOP_REASONS[answer.reply.finish()], "stop_sequence": None}
        finish: JsonObject = {"type": "message_delta", "delta": delta}
        if answer.usage is not None:
            message["usage"] = _usage(answer.usage) | {"output_tokens": 1}
            finish["usage"] = _usage(answer.usage)
        return Frames(
            opening=(_event({"type": "message_start", "message": message}), _event({"type": "ping"})),
            content=tuple(_content_events(answer.reply)),
            finish=(_event(finish),),
            end=(_event({"type": "message_stop"}),),
        )

    def whole(self, answer: Answer) -> JsonObject:
        """Return the answer as one object. Arguments that are no JSON object become an empty one."""
        reply = answer.reply
        text: list[JsonObject] = [{"type": "text", "text": reply.text}] if reply.text else []
        calls: list[JsonObject] = [
            {"type": "tool_use", "id": call.call_id, "name": call.name, "input": _parsed(call.arguments_json)}
            for call in reply.calls()
        ]
        body: JsonObject = {
            "id": answer.response_id,
            "type": "message",
            "role": "assistant",
            "model": answer.request.model,
            "content": text + calls,
            "stop_reason": _STOP_REASONS[reply.finish()],
            "stop_sequence": None,
        }
        return body if answer.usage is None else body | {"usage": _usage(answer.usage)}

    def error(self, status: int, message: str) -> JsonObject:
        """Return an error body for an HTTP status."""
        return {"type": "error", "error": {"type": _ERROR_TYPES.get(status, "api_error"), "message": message}}

    def error_event(self, message: str) -> bytes:
        """Return an error as an event within a stream."""
        return _event(self.error(500, message))


def _event(data: JsonObject) -> bytes:
    return b"event: " + str(data["type"]).encode() + b"\ndata: " + orjson.dumps(data) + b"\n\n"


def _blocks(message: JsonObject) -> list[JsonObject]:
    content: str | list[JsonObject] = message["content"]
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _user_text(message: JsonObject) -> str:
    if message["role"] != "user":
        return ""
    return "".join(block["text"] for block in _blocks(message) if block["type"] == "text")


def _tool_results(messages: list[JsonObject], last_user: int) -> Iterator[ToolResult]:
    names: dict[str, str] = {}
    for message in messages[last_user + 1 :]:
        for block in _blocks(message):
            if block["type"] == "tool_use":
                names[block["id"]] = block["name"]
            elif block["type"] == "tool_result":
                content = "".join(part.get("text", "") for part in _blocks({"content": "", **block}))
                yield ToolResult(block["tool_use_id"], names.get(block["tool_use_id"], ""), content)


def _content_events(reply: Reply) -> Iterator[bytes]:
    index = 0
    if reply.text:
        start: JsonObject = {"type": "text", "text": ""}
        deltas: list[JsonObject] = [{"type": "text_delta", "text": p} for p in pieces(reply.text, reply.chunk_size)]
        yield from _block_events(index, start, deltas)
        index += 1
    for call in reply.calls():
        start = {"type": "tool_use", "id": call.call_id, "name": call.name, "input": {}}
        parts = pieces(call.arguments_json, reply.chunk_size)
        yield from _block_events(index, start, [{"type": "input_json_delta", "partial_json": p} for p in parts])
        index += 1


def _block_events(index: int, start: JsonObject, deltas: list[JsonObject]) -> Iterator[bytes]:
    yield _event({"type": "content_block_start", "index": index, "content_block": start})
    for delta in deltas:
        yield _event({"type": "content_block_delta", "index": index, "delta": delta})
    yield _event({"type": "content_block_stop", "index": index})


def _parsed(arguments_json: str) -> JsonObject:
    try:
        value = orjson.loads(arguments_json)
    except orjson.JSONDecodeError:
        return {}
    return cast("JsonObject", value) if isinstance(value, dict) else {}


def _usage(usage: Usage) -> JsonObject:
    return {
        "input_tokens": usage.input_tokens - usage.cached_input_tokens - usage.cache_write_input_tokens,
        "cache_read_input_tokens": usage.cached_input_tokens,
        "cache_creation_input_tokens": usage.cache_write_input_tokens,
        "cache_creation": {
            "ephemeral_5m_input_tokens": usage.cache_write_input_tokens,
            "ephemeral_1h_input_tokens": 0,
        },
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"thinking_tokens": usage.reasoning_tokens},
    }
