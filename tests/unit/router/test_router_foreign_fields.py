"""What is told of fields that no service takes: they are named as the caller calls them, with what to do."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from router_decision_fakes import rules_of
from router_fakes import service_of, snapshot_of

from provider_router.domain.calls.chat import CallersBody, ChatRequest, Message, Role, Tool
from provider_router.domain.calls.content import ImagePart
from provider_router.domain.contracts.dialect import Dialect
from provider_router.domain.decisions.decision import Control, Decision, Promise, Rejected, Rejection, Step
from provider_router.domain.decisions.no_route import no_route
from provider_router.domain.decisions.route_request import Caller, RouteRequest
from provider_router.domain.decisions.state_document import system_state
from provider_router.domain.decisions.world import World
from provider_router.domain.errors import Reason
from shared.errors import NexusError

HI = (Message(Role.USER, "Hi"),)
TRAITS = dict.fromkeys(("temperature", "stop", "json_object", "provider_tools"), False)
SNAPSHOT = snapshot_of(service_of("one/m", traits=TRAITS, context_length=10_000), service_of("two/m"))
ABSENT = Rejection("one/m", Step.TRAITS, Rejected.TRAIT, "dialect is anthropic_messages")
DROP = "Leave that out, or have that dropped: `x-nexus-drop-unsupported: true`."


def asked(dialect: Dialect, fields: dict[str, Any], *foreign: str, **changes: Any) -> ChatRequest:
    return ChatRequest(**{"messages": HI, "body": CallersBody(dialect, fields, foreign), **changes})


def refusal(request: ChatRequest, *rejections: Rejection, **features: Any) -> NexusError:
    now = datetime(2026, 11, 20, tzinfo=UTC)
    read = {"parameters": request.parameters, "input_modalities": request.input_modalities, **features}
    route = RouteRequest(Caller("org", "user"), **read)
    decision = Decision(now, route, "", "", "", "", rejections, (), "", Promise(), Control())
    return no_route(decision, World(SNAPSHOT, rules_of(), system_state({})), (), "decision-1", request)


def at_match(reason: Rejected, detail: str = "") -> Rejection:
    return Rejection("one/m", Step.MATCH, reason, detail)


def test_a_refusal_names_the_fields_that_only_the_dialect_knows() -> None:
    error = refusal(asked(Dialect.OPENAI_CHAT, {}, "min_p", "grammar"), ABSENT)
    assert error.reason == Reason.UNSUPPORTED_CAPABILITY
    assert "min_p, grammar" in error.message
    assert "x-nexus-drop-unsupported" in error.message
    assert "one/m" in error.message
    assert [each.field for each in error.violations] == ["min_p", "grammar"]


def test_fields_are_not_blamed_where_a_model_fell_for_something_else() -> None:
    other = Rejection("two/m", Step.SECURITY, Rejected.CLEARANCE, "cleared for public")
    assert refusal(asked(Dialect.OPENAI_CHAT, {}, "min_p"), ABSENT, other).reason == Reason.NO_ROUTE


@pytest.mark.parametrize(
    ("request_", "fields"),
    [
        (
            asked(Dialect.ANTHROPIC_MESSAGES, {"stop_sequences": ["END"]}, stop=("END",), temperature=1.0),
            ["stop_sequences", "temperature"],
        ),
        (asked(Dialect.OPENAI_CHAT, {"stop": ["END"]}, stop=("END",)), ["stop"]),
        (asked(Dialect.OPENAI_CHAT, {}, json_object=True), ["response_format"]),
        (asked(Dialect.OPENAI_RESPONSES, {}, json_object=True), ["text"]),
        # The trait is no word of the caller's.
        (asked(Dialect.OPENAI_CHAT, {}, "min_p", "web_search_options"), ["web_search_options"]),
    ],
)
def test_parameters_have_the_callers_names_and_may_be_dropped(request_: ChatRequest, fields: list[str]) -> None:
    error = refusal(request_, at_match(Rejected.PARAMETER))
    assert error.reason == Reason.UNSUPPORTED_CAPABILITY
    assert [each.field for each in error.violations] == fields
    assert f"(takes no {', '.join(fields)}). {DROP}" in error.message


@pytest.mark.parametrize(
    ("request_", "reason", "field"),
    [
        (asked(Dialect.OPENAI_CHAT, {}, tools=(Tool("t", "", {}),)), Rejected.TOOL_CALLING, "tools"),
        (asked(Dialect.OPENAI_CHAT, {}, response_schema={}), Rejected.JSON_SCHEMA, "response_format"),
        (asked(Dialect.OPENAI_RESPONSES, {}, response_schema={}), Rejected.JSON_SCHEMA, "text"),
        (
            asked(Dialect.ANTHROPIC_MESSAGES, {"output_config": {"format": {}}}, response_schema={}),
            Rejected.JSON_SCHEMA,
            "output_config",
        ),
        (asked(Dialect.OPENAI_CHAT, {}), Rejected.OPERATION, "model"),
    ],
)
def test_what_cannot_be_dropped_is_named_too(request_: ChatRequest, reason: Rejected, field: str) -> None:
    error = refusal(request_, at_match(reason), model="one/m")
    assert (error.reason, [each.field for each in error.violations]) == (Reason.UNSUPPORTED_CAPABILITY, [field])
    assert "x-nexus-drop-unsupported" not in error.message


@pytest.mark.parametrize(
    ("dialect", "part", "place"),
    [
        (Dialect.OPENAI_CHAT, {"type": "image_url", "image_url": {"url": "https://x.test"}}, "messages[1].content[1]"),
        (Dialect.OPENAI_RESPONSES, {"type": "input_image", "image_url": "https://x.test"}, "input[1].content[1]"),
        (Dialect.ANTHROPIC_MESSAGES, {"type": "image", "source": {"type": "url"}}, "messages[1].content[1]"),
        # Where it is not found, at least the field is named.
        (Dialect.ANTHROPIC_MESSAGES, {"type": ["image"]}, "messages"),
    ],
)
def test_a_part_that_no_model_takes_has_its_place(dialect: Dialect, part: dict[str, Any], place: str) -> None:
    said = [{"role": "user", "content": "Hi"}, {"role": "user", "content": [{"type": "text", "text": "See"}, part]}]
    shown = (Message(Role.USER, "See", parts=(ImagePart(url="https://x.test"),)),)
    request = asked(dialect, {place.partition("[")[0]: said}, messages=shown)
    error = refusal(request, at_match(Rejected.MODALITY_IN, "takes text"))
    assert (error.reason, error.violations[0].field) == (Reason.UNSUPPORTED_CAPABILITY, place)
    assert f"(takes text; see {place})" in error.message


@pytest.mark.parametrize(("dialect", "field"), [(Dialect.OPENAI_CHAT, "messages"), (Dialect.OPENAI_RESPONSES, "input")])
def test_a_prompt_that_is_too_long_is_told_with_its_length_and_the_limit(dialect: Dialect, field: str) -> None:
    error = refusal(asked(dialect, {}), at_match(Rejected.CONTEXT_LENGTH), input_tokens=20_000)
    assert (error.reason, error.violations[0].field) == (Reason.CONTEXT_TOO_LONG, field)
    assert "the prompt has about 20000 tokens, the context 10000" in error.message


def test_where_only_some_models_lack_a_parameter_it_may_still_be_dropped() -> None:
    other = Rejection("two/m", Step.SECURITY, Rejected.CLEARANCE, "cleared for public")
    request = asked(Dialect.OPENAI_CHAT, {"stop": "END"}, stop=("END",))
    error = refusal(request, at_match(Rejected.PARAMETER), other)
    assert error.reason == Reason.NO_ROUTE
    assert "x-nexus-drop-unsupported" in error.message


def test_callers_without_a_body_have_the_routers_own_words() -> None:
    request = ChatRequest(HI, stop=("END",), temperature=1.0)
    error = refusal(request, at_match(Rejected.PARAMETER))
    assert "takes no stop, temperature" in error.message
    assert "x-nexus" not in error.message
    assert error.violations == ()
    assert refusal(replace(request, stop=()), at_match(Rejected.TOOL_CALLING)).violations == ()
