"""From a caller's body over the router's own words to a provider's: what was meant stays."""

from __future__ import annotations

import dataclasses
from typing import Any

import orjson
import pytest
from router_fakes import provider_spec, service_of
from router_openai_requests import golden_requests, told, wanted_of

from provider_router.adapters.openai.payload import chat_body, tells_usage
from provider_router.domain.calls.chat import CallersBody, ChatRequest, Message, Reasoning, Role
from provider_router.domain.calls.content import FilePart, ImagePart, TextPart, ThinkingPart
from provider_router.domain.calls.fitting import fitted
from provider_router.domain.contracts.contract import Contract
from provider_router.domain.contracts.dialect import Dialect, dialect_traits
from provider_router.domain.contracts.provider import ProviderType
from provider_router.domain.contracts.service import Service
from provider_router.servicer.http.nulls import without_nulls
from shared.errors import InvalidInput

HI = {"role": "user", "content": "Hi"}


def service(kind: ProviderType = ProviderType.OPENAI_COMPATIBLE, **traits: Any) -> Service:
    made = service_of("one/gpt", provider=provider_spec("one", type=kind))
    contract: Contract = dataclasses.replace(made.contract, traits=dialect_traits(kind, traits))
    return Service(contract, made.provider)


def sent(request: ChatRequest, to: Service | None = None) -> dict[str, Any]:
    return orjson.loads(chat_body(to or service_of("one/gpt"), request))


@pytest.mark.parametrize("name", golden_requests())
def test_a_provider_of_the_dialect_is_sent_the_callers_own_words(name: str) -> None:
    body = golden_requests()[name]["body"]
    ours = ("model", "stream", "stream_options", "max_tokens", "max_completion_tokens")
    own = {field: value for field, value in body.items() if value is not None and field not in ours}
    given = sent(wanted_of(body).request)
    assert {field: given.pop(field, None) for field in ("model", "stream")} == {
        "model": "gpt",
        "stream": bool(body.get("stream")),
    }
    assert given.pop("stream_options", None) == ({"include_usage": True} if body.get("stream") else None)
    limits = [body[field] for field in ours[3:] if body.get(field)]
    assert given.pop("max_tokens", None) == (min(limits) if limits else None)
    assert given == without_nulls(own)


@pytest.mark.parametrize("name", golden_requests())
def test_what_is_translated_means_the_same(name: str) -> None:
    """Written anew and read again, a request is what it was, but for what only its caller's provider can know."""
    wanted = wanted_of(golden_requests()[name]["body"])
    request = fitted(wanted.request, service(top_k=True), relayed=False).request
    again = wanted_of(sent(request))
    assert told(again) == {
        **told(dataclasses.replace(wanted, request=dataclasses.replace(request, body=again.request.body))),
        "model": "gpt",
        **({"told_usage": True} if wanted.streamed else {}),
    }


def test_what_costs_money_is_the_routers() -> None:
    body = {"model": "x", "messages": [HI], "max_completion_tokens": 500, "max_tokens": 900, "stream": True}
    request = dataclasses.replace(wanted_of(body).request, max_output_tokens=100)
    to = service_of("one/gpt", provider=provider_spec("one", max_tokens_parameter="max_completion_tokens"))
    assert sent(request, to)["max_completion_tokens"] == 100
    assert "max_tokens" not in sent(request, to)
    unbounded = dataclasses.replace(request, max_output_tokens=None)
    assert sent(unbounded, service_of("one/gpt", max_output_tokens=64))["max_tokens"] == 64


def test_usage_is_always_asked_for_and_told_to_those_who_asked() -> None:
    options = {"include_usage": False, "include_obfuscation": False}
    request = wanted_of({"model": "m", "messages": [HI], "stream": True, "stream_options": options}).request
    assert sent(request)["stream_options"] == {"include_usage": True, "include_obfuscation": False}
    assert not tells_usage(request)
    told_it = wanted_of({"model": "m", "messages": [HI], "stream": True, "stream_options": {"include_usage": True}})
    assert tells_usage(told_it.request)


def test_hints_are_dropped_and_named_and_foreign_fields_too() -> None:
    request = wanted_of(golden_requests()["hints"]["body"]).request
    to = service(ProviderType.ANTHROPIC)
    assert "service_tier" in fitted(request, to).dropped
    assert request.body is not None
    assert not request.body.foreign
    foreign = wanted_of(golden_requests()["foreign"]["body"]).request
    assert {"min_p", "tools.custom"} <= set(fitted(foreign, to).dropped)


def test_a_dropped_parameter_leaves_the_callers_body_whole() -> None:
    request = wanted_of(golden_requests()["sampling"]["body"]).request
    fit = fitted(request, service(logprobs=False, reasoning=False, top_k=True))
    given = sent(fit.request)
    assert fit.dropped == ("logprobs", "reasoning_effort")
    assert not {"logprobs", "top_logprobs", "reasoning_effort"} & set(given)
    assert given["top_k"] == 40


def test_another_callers_images_from_tools_follow_as_the_users() -> None:
    call = {"id": "a", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    messages = (
        *wanted_of({"model": "m", "messages": [HI, {"role": "assistant", "tool_calls": [call]}]}).request.messages,
        Message(
            Role.TOOL,
            "A cat.",
            tool_call_id="a",
            parts=(TextPart("A cat."), ImagePart(data="iVBO", media_type="image/png")),
        ),
        Message(Role.TOOL, "", tool_call_id="b", is_error=True),
        Message(Role.USER, "Well?"),
    )
    written = sent(ChatRequest(messages))["messages"][2:]
    assert written == [
        {"role": "tool", "content": "A cat.", "tool_call_id": "a"},
        {"role": "tool", "content": "Error: ", "tool_call_id": "b"},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Returned by the tool call a:"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBO"}},
            ],
        },
        {"role": "user", "content": "Well?"},
    ]


def test_thoughts_are_not_sent_and_files_at_addresses_are_refused() -> None:
    thought = Message(Role.ASSISTANT, "42", parts=(ThinkingPart("Hm.", "c2ln"), TextPart("42")))
    assert sent(ChatRequest((Message(Role.USER, "?"), thought)))["messages"][1] == {
        "role": "assistant",
        "content": "42",
    }
    at_address = Message(Role.USER, "", parts=(FilePart(url="https://example.com/a.pdf"),))
    with pytest.raises(InvalidInput) as caught:
        sent(ChatRequest((at_address,)))
    assert caught.value.reason == "INVALID_MESSAGES"


@pytest.mark.parametrize(
    ("reasoning", "word"),
    [
        (Reasoning("minimal"), "minimal"),
        (Reasoning("", 1024), "low"),
        (Reasoning("", 10_000), "medium"),
        (Reasoning("", 32_000), "high"),
        (Reasoning("", 0), None),
        (Reasoning(), None),
    ],
)
def test_how_much_to_think(reasoning: Reasoning, word: str | None) -> None:
    request = ChatRequest((Message(Role.USER, "?"),), reasoning=reasoning)
    assert sent(request).get("reasoning_effort") == word


def test_another_dialects_body_is_not_passed_on() -> None:
    body = CallersBody(Dialect.ANTHROPIC_MESSAGES, {"model": "m", "system": "x"})
    assert "system" not in sent(ChatRequest((Message(Role.USER, "?"),), body=body))


def test_texts_of_a_tool_are_sent_as_one() -> None:
    content = [{"type": "text", "text": "six"}, {"type": "text", "text": " o'clock"}]
    read = wanted_of({"model": "m", "messages": [{"role": "tool", "tool_call_id": "a", "content": content}]}).request
    assert read.messages[0].parts == (TextPart("six"), TextPart(" o'clock"))
    assert sent(ChatRequest(read.messages))["messages"][0]["content"] == "six o'clock"


@pytest.mark.parametrize("field", ["reasoning", "reasoning_content"])
def test_thoughts_that_come_back_are_thoughts(field: str) -> None:
    said = {"role": "assistant", "content": "42", field: "Hm."}
    request = wanted_of({"model": "m", "messages": [HI, said, HI]}).request
    assert request.messages[1].parts == (ThinkingPart("Hm."), TextPart("42"))
    assert fitted(request, service(), relayed=False).dropped == ("thinking",)
