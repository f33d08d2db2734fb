"""The Anthropic Messages dialect (POST /v1/messages)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

import orjson

from shared.testing.scripted_provider.attachments import attachments_of
from shared.testing.scripted_provider.dialect import Answer, Frames, inner, pieces
from shared.testing.scripted_provider.reply import Reply, Usage
from shared.testing.scripted_provider.request import JsonObject, ProviderRequest, ToolResult, Wishes

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
            attachments=attachments_of(message["content"] for message in messages),
            wishes=_wishes(body),
        )

    def frames(self, answer: Answer) -> Frames:
        """Return the answer as a stream."""
        message = self.whole(answer)
        message["content"], message["stop_reason"], message["stop_sequence"] = [], None, None
        delta = _stopped(answer.reply)
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
        text: list[JsonObject] = [{"type": "text", "text": said}] if (said := reply.text + reply.refusal) else []
        calls: list[JsonObject] = [
            {"type": "tool_use", "id": call.call_id, "name": call.name, "input": _parsed(call.arguments_json)}
            for call in reply.calls()
        ]
        body: JsonObject = {
            "id": answer.response_id,
            "type": "message",
            "role": "assistant",
            "model": answer.request.model,
            "content": [*_thoughts(reply), *text, *calls],
            **_stopped(reply),
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


def _wishes(body: JsonObject) -> Wishes:
    choice: JsonObject = body.get("tool_choice") or {"type": "auto"}
    uses = {"auto": "auto", "none": "none", "any": "required", "tool": "required"}
    return Wishes(
        tool_use=cast("Any", uses[choice["type"]]),
        tool_name=choice.get("name", ""),
        parallel=not choice.get("disable_parallel_tool_use"),
        schema=inner(body, "output_config", "format", "schema") or inner(body, "output_format", "schema") or None,
        stop=tuple(body.get("stop_sequences") or ()),
        thinking=inner(body, "thinking").get("type") in ("enabled", "adaptive"),
    )


def _stopped(reply: Reply) -> JsonObject:
    if reply.stop_text:
        return {"stop_reason": "stop_sequence", "stop_sequence": reply.stop_text}
    return {"stop_reason": "refusal" if reply.refusal else _STOP_REASONS[reply.finish()], "stop_sequence": None}


def _thoughts(reply: Reply) -> Iterator[JsonObject]:
    if reply.thinking or reply.signature:
        yield {"type": "thinking", "thinking": reply.thinking, "signature": reply.signature}
    if reply.redacted:
        yield {"type": "redacted_thinking", "data": reply.redacted}


def _content_events(reply: Reply) -> Iterator[bytes]:
    for index, (start, deltas) in enumerate(_blocks_of(reply)):
        yield from _block_events(index, start, deltas)


def _blocks_of(reply: Reply) -> Iterator[tuple[JsonObject, list[JsonObject]]]:
    """The blocks as they begin, with what is added to each."""
    for thought in _thoughts(reply):
        if thought["type"] == "redacted_thinking":
            yield thought, []
            continue
        thoughts = pieces(reply.thinking, reply.chunk_size)
        signed: list[JsonObject] = [{"type": "signature_delta", "signature": reply.signature}]
        said: list[JsonObject] = [{"type": "thinking_delta", "thinking": piece} for piece in thoughts]
        yield {"type": "thinking", "thinking": "", "signature": ""}, said + signed
    if text := reply.text + reply.refusal:
        texts = pieces(text, reply.chunk_size)
        yield {"type": "text", "text": ""}, [{"type": "text_delta", "text": piece} for piece in texts]
    for call in reply.calls():
        start: JsonObject = {"type": "tool_use", "id": call.call_id, "name": call.name, "input": {}}
        parts = pieces(call.arguments_json, reply.chunk_size)
        yield start, [{"type": "input_json_delta", "partial_json": piece} for piece in parts]


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
