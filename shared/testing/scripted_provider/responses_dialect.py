"""The OpenAI Responses dialect (POST /v1/responses), as OpenAI and Perplexity's Agent API speak it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import cast

from shared.testing.scripted_provider.attachments import attachments_of
from shared.testing.scripted_provider.dialect import ANY_OBJECT, Answer, Frames, inner
from shared.testing.scripted_provider.openai_dialect import OpenAIDialect
from shared.testing.scripted_provider.reply import Reply, ToolCall, Usage
from shared.testing.scripted_provider.request import JsonObject, ProviderRequest, ToolResult, Wishes
from shared.testing.scripted_provider.responses_events import ResponsesEvents

_INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}
_CREATED_S = 1_767_225_600  # a fixed Unix time: answers are the same in every run
_LATE = 1_000_000  # the number of an event after any other


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
            attachments=attachments_of(item.get("content") for item in items),
            wishes=_wishes(body),
        )

    def frames(self, answer: Answer) -> Frames:
        """Return the answer as a stream."""
        whole, events = self.whole(answer), ResponsesEvents()
        begun: JsonObject = {**whole, "status": "in_progress", "incomplete_details": None, "output": []}
        begun.pop("usage", None)
        end = "response.incomplete" if whole["status"] == "incomplete" else "response.completed"
        return Frames(
            opening=(
                events.event("response.created", response=begun),
                events.event("response.in_progress", response=begun),
            ),
            content=tuple(events.content(whole["output"], answer.reply.chunk_size)),
            finish=(events.event(end, response=whole),),
            end=(),
        )

    def whole(self, answer: Answer) -> JsonObject:
        """Return the answer as one object."""
        reply, asked = answer.reply, answer.request.body
        why = _INCOMPLETE.get(reply.finish())
        body: JsonObject = {
            "id": answer.response_id,
            "object": "response",
            "created_at": _CREATED_S,
            "model": answer.request.model,
            "status": "incomplete" if why else "completed",
            "error": None,
            "incomplete_details": {"reason": why} if why else None,
            "output": [*_thoughts(reply), *_messages(reply), *map(_function_call, reply.calls())],
            "parallel_tool_calls": answer.request.wishes.parallel,
            "tool_choice": asked.get("tool_choice") or "auto",
            "tools": asked.get("tools") or [],
        }
        return body if answer.usage is None else body | {"usage": _usage(answer.usage)}

    def error(self, status: int, message: str) -> JsonObject:
        """Return an error body for an HTTP status."""
        return OpenAIDialect().error(status, message)

    def error_event(self, message: str) -> bytes:
        """Return an error as an event within a stream."""
        failed: JsonObject = {"code": "server_error", "message": message}
        response: JsonObject = {"id": "scripted-failed", "object": "response", "status": "failed", "output": []}
        return ResponsesEvents(_LATE).event("response.failed", response=response | {"error": failed})


def _text(content: str | list[JsonObject]) -> str:
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


def _tool_results(items: list[JsonObject], last_user: int) -> Iterator[ToolResult]:
    names: dict[str, str] = {}
    for item in items[last_user + 1 :]:
        if item.get("type") == "function_call":
            names[item["call_id"]] = item["name"]
        elif item.get("type") == "function_call_output":
            yield ToolResult(item["call_id"], names.get(item["call_id"], ""), _text(item["output"]))


def _wishes(body: JsonObject) -> Wishes:
    named, form = inner(body, "tool_choice"), inner(body, "text", "format")
    schemas = {"json_schema": inner(form, "schema"), "json_object": ANY_OBJECT}
    return Wishes(
        tool_use="required" if named else body.get("tool_choice") or "auto",
        tool_name=named.get("name", ""),
        parallel=body.get("parallel_tool_calls") is not False,
        schema=schemas.get(form.get("type", "")),
        thinking=inner(body, "reasoning").get("effort") not in (None, "none", "minimal"),
    )


def _thoughts(reply: Reply) -> Iterator[JsonObject]:
    if reply.thinking or reply.signature:
        summary = [{"type": "summary_text", "text": reply.thinking}] if reply.thinking else []
        yield _reasoning("rs_1", summary, reply.signature)
    if reply.redacted:
        yield _reasoning("rs_2", [], reply.redacted)


def _reasoning(item_id: str, summary: list[JsonObject], secret: str) -> JsonObject:
    return {"type": "reasoning", "id": item_id, "summary": summary, "encrypted_content": secret or None}


def _messages(reply: Reply) -> Iterator[JsonObject]:
    parts: list[JsonObject] = []
    if reply.text:
        parts.append({"type": "output_text", "text": reply.text, "annotations": [], "logprobs": []})
    if reply.refusal:
        parts.append({"type": "refusal", "refusal": reply.refusal})
    if parts:
        yield {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": parts}


def _function_call(call: ToolCall) -> JsonObject:
    return {
        "type": "function_call",
        "id": f"fc_{call.call_id}",
        "call_id": call.call_id,
        "name": call.name,
        "arguments": call.arguments_json,
        "status": "completed",
    }


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
