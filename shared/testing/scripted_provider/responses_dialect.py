"""The OpenAI Responses dialect (POST /v1/responses), as OpenAI and Perplexity's Agent API speak it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count
from typing import cast

import orjson

from shared.testing.scripted_provider.dialect import Answer, Frames, pieces
from shared.testing.scripted_provider.request import JsonObject, ProviderRequest, ToolResult
from shared.testing.scripted_provider.script import Reply, ToolCall, Usage

_INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}


class ResponsesDialect:
    """Implements `Dialect` for clients of the Responses API."""

    def read(self, path: str, body: JsonObject, headers: Mapping[str, str]) -> ProviderRequest:
        """Return the request. Raises KeyError, TypeError or AttributeError for a malformed body."""
        given: str | list[JsonObject] = body["input"]
        items = [{"type": "message", "role": "user", "content": given}] if isinstance(given, str) else given
        last_user = max((i for i, item in enumerate(items) if item.get("role") == "user"), default=-1)
        tools = [tool for tool in cast("list[JsonObject]", body.get("tools") or []) if tool["type"] == "function"]
        return ProviderRequest(
            path=path,
            body=body,
            headers=headers,
            model=body["model"],
            stream=bool(body.get("stream")),
            last_user_text=_text(items[last_user]["content"]) if last_user >= 0 else "",
            tool_results=tuple(_tool_results(items, last_user)),
            tools={tool["name"]: tool.get("parameters") or {} for tool in tools},
            include_usage=True,
        )

    def frames(self, answer: Answer) -> Frames:
        """Return the answer as a stream."""
        whole = self.whole(answer)
        begun: JsonObject = {**whole, "status": "in_progress", "output": []}
        begun.pop("usage", None)
        end = "response.incomplete" if whole["status"] == "incomplete" else "response.completed"
        return Frames(
            opening=(_event("response.created", response=begun), _event("response.in_progress", response=begun)),
            content=tuple(_content_events(answer.reply)),
            finish=(_event(end, response=whole),),
            end=(),
        )

    def whole(self, answer: Answer) -> JsonObject:
        """Return the answer as one object."""
        reply = answer.reply
        why = _INCOMPLETE.get(reply.finish())
        body: JsonObject = {
            "id": answer.response_id,
            "object": "response",
            "model": answer.request.model,
            "status": "incomplete" if why else "completed",
            "incomplete_details": {"reason": why} if why else None,
            "output": [*([_message(reply.text)] if reply.text else []), *map(_function_call, reply.calls())],
        }
        return body if answer.usage is None else body | {"usage": _usage(answer.usage)}

    def error(self, status: int, message: str) -> JsonObject:
        """Return an error body for an HTTP status."""
        kind = "server_error" if status >= 500 else "invalid_request_error"
        return {"error": {"message": message, "type": kind, "code": None}}

    def error_event(self, message: str) -> bytes:
        """Return an error as an event within a stream."""
        return _event("response.failed", **self.error(500, message))


def _event(kind: str, **fields: object) -> bytes:
    data = orjson.dumps({"type": kind, **fields})
    return b"event: " + kind.encode() + b"\ndata: " + data + b"\n\n"


def _text(content: str | list[JsonObject]) -> str:
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


def _tool_results(items: list[JsonObject], last_user: int) -> Iterator[ToolResult]:
    names: dict[str, str] = {}
    for item in items[last_user + 1 :]:
        if item["type"] == "function_call":
            names[item["call_id"]] = item["name"]
        elif item["type"] == "function_call_output":
            yield ToolResult(item["call_id"], names.get(item["call_id"], ""), item["output"])


def _message(text: str) -> JsonObject:
    content: list[JsonObject] = [{"type": "output_text", "text": text, "annotations": []}]
    return {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": content}


def _function_call(call: ToolCall) -> JsonObject:
    return {
        "type": "function_call",
        "id": f"fc_{call.call_id}",
        "call_id": call.call_id,
        "name": call.name,
        "arguments": call.arguments_json,
        "status": "completed",
    }


def _content_events(reply: Reply) -> Iterator[bytes]:
    places = count()
    if reply.text:
        place = next(places)
        for piece in pieces(reply.text, reply.chunk_size):
            yield _event("response.output_text.delta", output_index=place, content_index=0, delta=piece)
        yield _event("response.output_item.done", output_index=place, item=_message(reply.text))
    for call in reply.calls():
        place, item = next(places), _function_call(call)
        yield _event("response.output_item.added", output_index=place, item={**item, "arguments": ""})
        for piece in pieces(call.arguments_json, reply.chunk_size):
            yield _event("response.function_call_arguments.delta", output_index=place, delta=piece)
        yield _event("response.output_item.done", output_index=place, item=item)


def _usage(usage: Usage) -> JsonObject:
    counted: JsonObject = {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "input_tokens_details": {
            "cached_tokens": usage.cached_input_tokens,
            "cache_write_tokens": usage.cache_write_input_tokens,
        },
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }
    cost = None if usage.billed_usd is None else {"currency": "USD", "total_cost": usage.billed_usd}
    return counted if cost is None else counted | {"cost": cost}
