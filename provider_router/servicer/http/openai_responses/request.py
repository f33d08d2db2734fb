"""Reads the body of a response that is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from provider_router.domain.calls.chat import CallersBody, ChatRequest, Sampling
from provider_router.domain.contracts.dialect import Dialect
from provider_router.servicer.http.fields import LISTED_VIOLATIONS, WrongFieldError, invalid, text_in
from provider_router.servicer.http.nulls import without_nulls
from provider_router.servicer.http.openai_chat.draft import Draft
from provider_router.servicer.http.openai_chat.parameters import Read
from provider_router.servicer.http.openai_chat.tools import check_choice
from provider_router.servicer.http.openai_responses.input_items import Conversation, read_input
from provider_router.servicer.http.openai_responses.parameters import PARAMETERS
from provider_router.servicer.http.openai_responses.tools import tool_choice_in, tools_in
from provider_router.servicer.http.surface import Wanted
from shared.errors import FieldViolation

_FIELDS: Mapping[str, Read] = {**PARAMETERS, "tools": tools_in, "tool_choice": tool_choice_in}
_NEEDED = ("model", "input")


def response_wanted(fields: Mapping[str, Any]) -> Wanted:
    """Reads a parsed body; null stands for what is absent.

    Raises:
        InvalidInput: REQUEST_INVALID, with the fields that are wrong.
    """
    draft = Draft(told_usage=True, limit="max_output_tokens")
    wrong: list[FieldViolation] = []
    conversation = Conversation(draft)
    _instruct(conversation, fields, wrong)
    for name, value in fields.items():
        if value is None or name == "instructions":
            continue
        read = _FIELDS.get(name)
        try:
            if name == "input":
                read_input(conversation, value)
            elif read is None:
                draft.unknown(name, value)
            else:
                read(draft, value)
        except WrongFieldError as error:
            wrong.append(FieldViolation(name + error.path, error.description))
            if len(wrong) >= LISTED_VIOLATIONS:
                break
    wrong += [FieldViolation(name, "is missing") for name in _NEEDED if fields.get(name) is None]
    if not wrong:
        _agree(draft, wrong)
    if wrong:
        raise invalid(wrong)
    return Wanted(_request(draft, conversation, fields), draft.model, draft.streamed, draft.told_usage, draft.inside)


def _instruct(conversation: Conversation, fields: Mapping[str, Any], wrong: list[FieldViolation]) -> None:
    """Instructions stand before the input, wherever they stand in the body."""
    instructions = fields.get("instructions")
    if instructions is None:
        return
    try:
        if text_in(instructions):
            conversation.instruct(instructions)
    except WrongFieldError as error:
        wrong.append(FieldViolation("instructions", error.description))


def _agree(draft: Draft, wrong: list[FieldViolation]) -> None:
    try:
        check_choice(draft)
    except WrongFieldError as error:
        wrong.append(FieldViolation("tool_choice", error.description))


def _request(draft: Draft, conversation: Conversation, fields: Mapping[str, Any]) -> ChatRequest:
    if draft.sampling:
        draft.chat["sampling"] = Sampling(**draft.sampling)
    given = fields["input"]
    if type(given) is not str and len(conversation.kept) != len(given):
        fields = {**fields, "input": conversation.kept}
    if draft.has_nulls:
        fields = {**fields, "input": without_nulls(fields["input"])}
    body = CallersBody(Dialect.OPENAI_RESPONSES, fields, foreign=tuple(draft.foreign), hints=tuple(draft.hints))
    return ChatRequest(conversation.messages(), body=body, whole=not draft.streamed, **draft.chat)
