"""Decodes chat completions that come in one piece."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from provider_router.adapters.http.chat_stream import DecodeWhole
from provider_router.adapters.http.faults import fault_in_stream
from provider_router.adapters.http.json_fields import MalformedAnswerError, as_list, as_object, parsed_object
from provider_router.adapters.openai.choice import ChoiceReader
from provider_router.adapters.openai.usage import usage_of
from provider_router.domain.calls.events import ModelEvent


def decode_whole(provider: str) -> DecodeWhole:
    """Returns what decodes the bodies of `provider`; of several choices, the first is what the router understands."""

    def decode(body: bytes) -> Sequence[ModelEvent]:
        answer = parsed_object(body)
        if answer.get("error"):
            raise fault_in_stream(provider, answer["error"])
        choice = _first(answer)
        reader = ChoiceReader()
        told: list[ModelEvent] = []
        reader.read(as_object(choice.get("message")), told)
        if not told and not choice.get("finish_reason"):
            raise MalformedAnswerError("it says nothing, nor why")
        # A body that is whole is a whole answer, though some servers leave out why it ended.
        reader.end(choice, told)
        return (*told, reader.finished(usage_of(answer.get("usage"))))

    return decode


def _first(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    choices = [as_object(choice) for choice in as_list(answer.get("choices"))]
    for choice in choices:
        if not choice.get("index"):
            return choice
    raise MalformedAnswerError("it has no choices")
