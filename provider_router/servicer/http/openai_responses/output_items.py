"""What a response holds: reasoning, messages and function calls, as finished items."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from provider_router.domain.calls.answer import Answer
from provider_router.domain.calls.chat import FinishReason, ToolCall
from provider_router.domain.calls.content import Part, RefusalPart, TextPart, ThinkingPart
from provider_router.servicer.http.openai_responses.thoughts import sealed

_CUT_SHORT = {FinishReason.LENGTH: "max_output_tokens", FinishReason.CONTENT_FILTER: "content_filter"}


def items_of(answer: Answer, response_id: str) -> list[dict[str, Any]]:
    """The items of a whole answer: what was thought and said in its order, then the calls."""
    message = answer.message
    parts = message.parts or ((TextPart(message.text),) if message.text else ())
    items: list[dict[str, Any]] = []
    said: list[dict[str, Any]] = []
    for part in parts:
        if isinstance(part, ThinkingPart):
            said = []
            items.append(reasoning(item_id("rs", response_id, len(items)), part))
        elif isinstance(part, TextPart | RefusalPart):
            if not said:
                items.append(message_item(item_id("msg", response_id, len(items)), said))
            said.append(content(part))
    items.extend(
        function_call(item_id("fc", response_id, place), call)
        for place, call in enumerate(message.tool_calls, start=len(items))
    )
    if items and "status" in items[-1] and cut_short(answer.finish_reason, refused=has_refused(parts)):
        items[-1]["status"] = "incomplete"
    return items


def cut_short(finish: FinishReason, *, refused: bool) -> str:
    """Why an answer that ended so is incomplete; empty where it is not. A refusal in the model's words is complete."""
    return "" if refused and finish is FinishReason.CONTENT_FILTER else _CUT_SHORT.get(finish, "")


def has_refused(parts: Iterable[Part]) -> bool:
    """Whether one of `parts` is a refusal."""
    return any(isinstance(part, RefusalPart) for part in parts)


def item_id(kind: str, response_id: str, place: int) -> str:
    """The id of the item at `place` of a response: the same, streamed or whole."""
    return f"{kind}_{response_id.removeprefix('resp_')}{place:02x}"


def reasoning(own_id: str, thought: ThinkingPart) -> dict[str, Any]:
    """A thought. What proves or hides it goes where the dialect has its own sealed thoughts."""
    summary = [{"type": "summary_text", "text": thought.text}] if thought.text else []
    item: dict[str, Any] = {"id": own_id, "type": "reasoning", "summary": summary}
    seal = sealed(thought)
    return {**item, "encrypted_content": seal} if seal else item


def message_item(own_id: str, contents: list[dict[str, Any]], status: str = "completed") -> dict[str, Any]:
    """A message of the assistant."""
    return {"id": own_id, "type": "message", "status": status, "role": "assistant", "content": contents}


def content(part: TextPart | RefusalPart) -> dict[str, Any]:
    """A part of a message."""
    if isinstance(part, RefusalPart):
        return {"type": "refusal", "refusal": part.text}
    return {"type": "output_text", "annotations": [], "logprobs": [], "text": part.text}


def function_call(own_id: str, call: ToolCall, status: str = "completed") -> dict[str, Any]:
    """A call of a tool."""
    return {
        "id": own_id,
        "type": "function_call",
        "status": status,
        "call_id": call.id,
        "name": call.name,
        "arguments": call.arguments_json,
    }
