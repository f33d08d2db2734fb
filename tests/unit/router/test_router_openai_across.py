"""Golden requests of the chat completions dialect, written for providers of the others and read again: they mean the
same."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from router_fakes import provider_spec, service_of
from router_openai_requests import golden_requests, plain, wanted_of

from provider_router.adapters.anthropic.payload import messages_body
from provider_router.adapters.openai_responses.payload import responses_body
from provider_router.domain.calls.chat import ChatRequest, Message
from provider_router.domain.calls.content import TextPart, ThinkingPart
from provider_router.domain.calls.fitting import fitted
from provider_router.domain.contracts.dialect import dialect_traits
from provider_router.domain.contracts.provider import ProviderType
from provider_router.domain.contracts.service import Service
from provider_router.servicer.http.anthropic_messages.surface import AnthropicMessages
from provider_router.servicer.http.openai_responses.surface import ResponsesSurface
from provider_router.servicer.http.surface import Surface
from shared.errors import InvalidInput
from shared.testing.fakes import FakeClock, SequenceIds

WRITERS: dict[ProviderType, Callable[[Service, ChatRequest], bytes]] = {
    ProviderType.ANTHROPIC: messages_body,
    ProviderType.OPENAI_RESPONSES: responses_body,
}
READERS: dict[ProviderType, Surface] = {
    ProviderType.ANTHROPIC: AnthropicMessages(SequenceIds()),
    ProviderType.OPENAI_RESPONSES: ResponsesSurface(FakeClock(), SequenceIds()),
}
# Anthropic's takes no sound, and no temperature above 1.
UNFIT = {(ProviderType.ANTHROPIC, "parts"), (ProviderType.ANTHROPIC, "sampling")}
CASES = [(kind, name) for kind in WRITERS for name in golden_requests() if (kind, name) not in UNFIT]


def service(kind: ProviderType) -> Service:
    made = service_of("one/gpt", provider=provider_spec("one", type=kind))
    return Service(dataclasses.replace(made.contract, traits=dialect_traits(kind, {})), made.provider)


def meaning(request: ChatRequest) -> dict[str, Any]:
    """What every dialect can say."""
    return {
        "messages": [_said(message) for message in request.messages if any(_said(message)[1:])],
        "tools": [(tool.name, tool.description, tool.parameters) for tool in request.tools],
        "choice": request.tool_choice,
        "parallel": request.parallel_tool_calls,
        "schema": request.response_schema,
        "picked": plain((request.temperature, request.sampling, request.stop)),
        "user": request.end_user,
        "whole": request.whole,
        "limit": request.max_output_tokens,
    }


def _said(message: Message) -> tuple[Any, ...]:
    others = [part for part in message.parts if not isinstance(part, TextPart | ThinkingPart)]
    media = [part for part in others if type(part).__name__ != "RefusalPart"]
    return message.role, message.text, message.tool_calls, message.tool_call_id, media


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_what_is_meant_stays(kind: ProviderType, name: str) -> None:
    to = service(kind)
    fit = fitted(wanted_of(golden_requests()[name]["body"]).request, to)
    body = orjson.loads(WRITERS[kind](to, fit.request))
    before, after = meaning(fit.request), meaning(READERS[kind].read(body, {}).request)
    # The dialect demands a limit.
    before["limit"] = before["limit"] or after["limit"]
    assert after == before


@pytest.mark.parametrize(("kind", "name"), sorted(UNFIT))
def test_what_has_no_place_is_refused_by_somebody(kind: ProviderType, name: str) -> None:
    to = service(kind)
    fit = fitted(wanted_of(golden_requests()[name]["body"]).request, to)
    with pytest.raises(InvalidInput):
        READERS[kind].read(orjson.loads(WRITERS[kind](to, fit.request)), {})


def test_names_and_unsigned_thoughts_are_not_lost_in_silence() -> None:
    request = wanted_of(golden_requests()["roles"]["body"]).request
    assert fitted(request, service(ProviderType.ANTHROPIC)).dropped == ("messages.name", "thinking")
    assert fitted(request, service(ProviderType.OPENAI_RESPONSES)).dropped == ("messages.name", "thinking")
