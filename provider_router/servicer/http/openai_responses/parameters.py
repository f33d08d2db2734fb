"""Reads the plain parameters of a response."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from provider_router.domain.calls.chat import Reasoning
from provider_router.servicer.http.fields import (
    WrongFieldError,
    count_in,
    each_in,
    field_in,
    list_in,
    maybe_in,
    object_in,
    one_of,
    text_in,
    word_in,
)
from provider_router.servicer.http.openai_chat.draft import Draft
from provider_router.servicer.http.openai_chat.parameters import PARAMETERS as OF_CHATS
from provider_router.servicer.http.openai_chat.parameters import Read
from provider_router.servicer.http.openai_chat.tools import schema_in
from provider_router.servicer.http.unknown_fields import LATER, STORED

_MOST_TOKENS = 10_000_000
_MOST_INCLUDED = 32
_MOST_PAIRS = 16
_LOGPROBS = "message.output_text.logprobs"
_SUMMARIES = ("auto", "concise", "detailed")
_NO_EFFORT = "none"
# As in chats.
_SHARED = ("model", "temperature", "top_p", "parallel_tool_calls", "stream", "user", "safety_identifier")


def _limit(draft: Draft, value: Any) -> None:
    draft.chat["max_output_tokens"] = count_in(value, 1, _MOST_TOKENS)


def _likely_tokens(draft: Draft, value: Any) -> None:
    if count_in(value, 0, 20):
        draft.lacks("top_logprobs", "")


def _include(draft: Draft, value: Any) -> None:
    """What is to be told besides: sealed thoughts always are, and the rest is of tools that are foreign themselves."""
    included = each_in(list_in(value, most=_MOST_INCLUDED), lambda word: word_in(word, 128))
    if _LOGPROBS in included:
        draft.lacks("logprobs", "include.")


def _reasoning(draft: Draft, value: Any) -> None:
    """How much to think. Who thinks is told the thoughts, also without a summary: some providers want them back."""
    reasoning = object_in(value)
    effort = maybe_in(reasoning, "effort", lambda word: word_in(word, 32), "")
    summary = maybe_in(reasoning, "summary", _summary_in, "")
    summary = maybe_in(reasoning, "generate_summary", _summary_in, "") or summary
    draft.others(reasoning, frozenset({"effort", "summary", "generate_summary"}), "reasoning.")
    if effort or summary:
        draft.chat["reasoning"] = Reasoning(effort, shown=effort != _NO_EFFORT)


def _summary_in(value: Any) -> str:
    return one_of(value, _SUMMARIES)


def _text(draft: Draft, value: Any) -> None:
    """The form of the answer."""
    text = object_in(value)
    draft.others(text, frozenset({"format"}), "text.")
    if text.get("format") is not None:
        field_in(text, "format", lambda form: _format(draft, object_in(form)))


def _format(draft: Draft, form: Mapping[str, Any]) -> None:
    kind = field_in(form, "type", text_in)
    if kind == "json_schema":
        field_in(form, "schema", object_in)
        schema_in(draft, form, "text.format.")
    elif kind in ("json_object", "text"):
        draft.chat["json_object"] = kind == "json_object"
    else:
        raise WrongFieldError("must be one of text, json_object, json_schema", ".type")


def _metadata(draft: Draft, value: Any) -> None:
    """The caller's own notes, told back as they came."""
    del draft
    notes = object_in(value)
    if len(notes) > _MOST_PAIRS:
        raise WrongFieldError(f"must have at most {_MOST_PAIRS} pairs")
    for name in notes:
        word_in(name, 64)
        field_in(notes, name, lambda text: text_in(text, 512))


def _truncation(draft: Draft, value: Any) -> None:
    if one_of(value, ("auto", "disabled")) == "auto":
        draft.lacks("truncation", "")


def _stream_options(draft: Draft, value: Any) -> None:
    """They say how much padding there is between deltas; ours have none."""
    del draft
    object_in(value)


def _most_tool_calls(draft: Draft, value: Any) -> None:
    """It bounds tools that are the provider's own, which are foreign themselves."""
    del draft
    count_in(value, 1, _MOST_TOKENS)


def _stored(draft: Draft, value: Any) -> None:
    del draft
    if value is not False:
        raise WrongFieldError(STORED)


def _refused(why: str) -> Read:
    def read(draft: Draft, value: Any) -> None:
        del draft, value
        raise WrongFieldError(why)

    return read


def _elsewhere(remedy: str) -> Read:
    return _refused(f"needs stored state, and nothing is stored here: {remedy}")


def _background(draft: Draft, value: Any) -> None:
    del draft
    if value is not False:
        raise WrongFieldError(LATER)


PARAMETERS: Mapping[str, Read] = {
    **{name: OF_CHATS[name] for name in _SHARED},
    "max_output_tokens": _limit,
    "top_logprobs": _likely_tokens,
    "include": _include,
    "reasoning": _reasoning,
    "text": _text,
    "metadata": _metadata,
    "truncation": _truncation,
    "stream_options": _stream_options,
    "max_tool_calls": _most_tool_calls,
    "store": _stored,
    "background": _background,
    "previous_response_id": _elsewhere("send the whole conversation as input"),
    "conversation": _elsewhere("send the whole conversation as input"),
    "prompt": _elsewhere("send its text as instructions and input"),
    # Of chats. Some providers would take them here too, and generate more than was decided and reserved.
    "messages": _refused("is of chat completions: use input"),
    "max_tokens": _refused("is of chat completions: use max_output_tokens"),
    "max_completion_tokens": _refused("is of chat completions: use max_output_tokens"),
    "response_format": _refused("is of chat completions: use text.format"),
    "reasoning_effort": _refused("is of chat completions: use reasoning.effort"),
    "stop": _refused("is of chat completions; responses have none"),
    "n": _refused("is of chat completions; a response has one answer"),
}
"""How to read each parameter into a draft."""
