"""The OpenAI chat completions dialect (POST /v1/chat/completions)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain, zip_longest
from typing import Any, cast

import orjson

from shared.testing.scripted_provider.attachments import attachments_of
from shared.testing.scripted_provider.dialect import ANY_OBJECT, Answer, Frames, inner, pieces
from shared.testing.scripted_provider.reply import Reply, ToolCall, Usage
from shared.testing.scripted_provider.request import JsonObject, ProviderRequest, ToolResult, Wishes

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
            attachments=attachments_of(message.get("content") for message in messages),
            wishes=_wishes(body),
        )

    def frames(self, answer: Answer) -> Frames:
        """Return the answer as a stream."""
        finish = [self._chunk(answer, choices=_choices(answer, {}, answer.reply.finish()))]
        if answer.usage is not None and answer.request.include_usage:
            finish.append(self._chunk(answer, choices=[], usage=_usage(answer.usage)))
        return Frames(
            opening=(self._chunk(answer, choices=_choices(answer, {"role": "assistant", "content": ""}, None)),),
            content=tuple(
                self._chunk(answer, choices=_choices(answer, delta, None)) for delta in _deltas(answer.reply)
            ),
            finish=tuple(finish),
            end=(b"data: [DONE]\n\n",),
        )

    def whole(self, answer: Answer) -> JsonObject:
        """Return the answer as one object."""
        reply = answer.reply
        message: JsonObject = {"role": "assistant", "content": reply.text or None, "refusal": reply.refusal or None}
        if reply.thinking:
            message["reasoning_content"] = reply.thinking
        if reply.tool_calls:
            message["tool_calls"] = [
                {"id": call.call_id, "type": "function", "function": _function(call)} for call in reply.calls()
            ]
        choice: JsonObject = {"message": message, "finish_reason": reply.finish()}
        if answer.request.wishes.logprobs is not None:
            choice["logprobs"] = _logprobs(pieces(reply.text, reply.chunk_size), answer.request.wishes.logprobs)
        body = self._head(answer, "chat.completion") | {
            "choices": [{"index": index, **choice} for index in range(answer.request.wishes.choices)]
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
        return b"data: " + orjson.dumps(self._head(answer, "chat.completion.chunk") | fields) + b"\n\n"

    def _head(self, answer: Answer, kind: str) -> JsonObject:
        head: JsonObject = {
            "id": answer.response_id,
            "object": kind,
            "created": _CREATED_S,
            "model": answer.request.model,
        }
        seed = answer.request.wishes.seed
        return head if seed is None else head | {"system_fingerprint": f"seed-{seed}"}


def _wishes(body: JsonObject) -> Wishes:
    named, form = inner(body, "tool_choice", "function"), inner(body, "response_format")
    stop: str | list[str] = body.get("stop") or []
    schemas = {"json_schema": inner(form, "json_schema", "schema"), "json_object": ANY_OBJECT}
    return Wishes(
        tool_use="required" if named else body.get("tool_choice") or "auto",
        tool_name=named.get("name", ""),
        parallel=body.get("parallel_tool_calls") is not False,
        schema=schemas.get(form.get("type", "")),
        stop=(stop,) if isinstance(stop, str) else tuple(stop),
        choices=body.get("n") or 1,
        logprobs=(body.get("top_logprobs") or 0) if body.get("logprobs") else None,
        seed=body.get("seed"),
        thinking=body.get("reasoning_effort") in ("low", "medium", "high", "xhigh"),
    )


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


def _choices(answer: Answer, delta: JsonObject, finish_reason: str | None) -> list[JsonObject]:
    choice: JsonObject = {"delta": delta, "finish_reason": finish_reason}
    wishes = answer.request.wishes
    if wishes.logprobs is not None:
        choice["logprobs"] = _logprobs([delta["content"]], wishes.logprobs) if delta.get("content") else None
    return [{"index": index, **choice} for index in range(wishes.choices)]


def _logprobs(tokens: list[str], likely: int) -> JsonObject:
    """Every piece counts as a token of probability one half, and so do the likely ones beside it."""
    told: list[JsonObject] = [{"token": t, "logprob": -0.6931, "bytes": list(t.encode())} for t in tokens]
    return {"content": [{**token, "top_logprobs": [token] * likely} for token in told], "refusal": None}


def _deltas(reply: Reply) -> Iterator[JsonObject]:
    spoken = (("reasoning_content", reply.thinking), ("content", reply.text), ("refusal", reply.refusal))
    for field, text in spoken:
        for piece in pieces(text, reply.chunk_size):
            yield {field: piece}
    yield from _tool_call_deltas(reply)


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
