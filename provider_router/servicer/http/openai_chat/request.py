"""Reads the body of a chat completion."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from provider_router.domain.calls.chat import CallersBody, ChatRequest, Sampling
from provider_router.domain.contracts.dialect import Dialect
from provider_router.servicer.http.fields import LISTED_VIOLATIONS, WrongFieldError, invalid
from provider_router.servicer.http.nulls import without_nulls
from provider_router.servicer.http.openai_chat.draft import Draft
from provider_router.servicer.http.openai_chat.messages import messages_in
from provider_router.servicer.http.openai_chat.parameters import PARAMETERS, Read
from provider_router.servicer.http.openai_chat.tools import check_choice, response_format_in, tool_choice_in, tools_in
from provider_router.servicer.http.surface import Wanted
from shared.errors import FieldViolation

_FIELDS: Mapping[str, Read] = {
    **PARAMETERS,
    "messages": messages_in,
    "tools": tools_in,
    "tool_choice": tool_choice_in,
    "response_format": response_format_in,
}
_NEEDED = ("model", "messages")


def chat_wanted(fields: Mapping[str, Any]) -> Wanted:
    """Reads a parsed body; null stands for what is absent.

    Raises:
        InvalidInput: REQUEST_INVALID, with the fields that are wrong.
    """
    draft = Draft()
    wrong: list[FieldViolation] = []
    for name, value in fields.items():
        if value is None:
            continue
        read = _FIELDS.get(name)
        try:
            if read is None:
                draft.unknown(name, value)
            else:
                read(draft, value)
        except WrongFieldError as error:
            wrong.append(FieldViolation(name + error.path, error.description))
            if len(wrong) >= LISTED_VIOLATIONS:
                break
    wrong += [FieldViolation(name, "is missing") for name in _NEEDED if fields.get(name) is None]
    if not wrong:
        wrong += _disagreeing(draft)
    if wrong:
        raise invalid(wrong)
    return Wanted(_request(draft, fields), draft.model, draft.streamed, draft.told_usage, draft.inside)


def _disagreeing(draft: Draft) -> list[FieldViolation]:
    """Makes fields agree that speak of one thing, and returns those that cannot."""
    chat = draft.chat
    if draft.likely_tokens is not None:
        if "logprobs" not in chat:
            return [FieldViolation("top_logprobs", "needs logprobs to be true")]
        chat["logprobs"] = draft.likely_tokens
    if draft.limits:
        chat["max_output_tokens"] = min(draft.limits.values())
    try:
        check_choice(draft)
    except WrongFieldError as error:
        return [FieldViolation("tool_choice", error.description)]
    return []


def _request(draft: Draft, fields: Mapping[str, Any]) -> ChatRequest:
    if draft.sampling:
        draft.chat["sampling"] = Sampling(**draft.sampling)
    if draft.has_nulls:
        fields = without_nulls(fields)
    body = CallersBody(Dialect.OPENAI_CHAT, fields, tuple(draft.foreign), hints=tuple(draft.hints))
    return ChatRequest(body=body, whole=not draft.streamed, **draft.chat)
