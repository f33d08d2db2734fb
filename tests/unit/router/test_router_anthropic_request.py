from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from router_fakes import provider_spec, service_of
from router_translation import DATA

from provider_router.adapters.anthropic.payload import messages_body
from provider_router.domain.calls.chat import (
    ChatRequest,
    Message,
    Reasoning,
    Role,
    Sampling,
    Tool,
    ToolCall,
    ToolChoice,
    ToolUse,
)
from provider_router.domain.calls.content import FilePart, ImagePart, TextPart, ThinkingPart
from provider_router.domain.calls.fitting import fitted
from provider_router.domain.contracts.dialect import Dialect
from provider_router.domain.contracts.provider import ProviderType
from provider_router.servicer.http.anthropic_messages.request import read_request
from provider_router.servicer.http.surface import Wanted
from shared.errors import InvalidInput

HI = {"role": "user", "content": "Hi"}
CACHED = {"type": "ephemeral"}
CALL = {"type": "tool_use", "id": "a", "name": "add", "input": {"x": 1}}
RESULT = {"type": "tool_result", "tool_use_id": "a"}
THOUGHT = {"type": "thinking", "thinking": "Hm.", "signature": "s"}
TOOL = {"name": "add", "input_schema": {"type": "object"}}
DATA_URL = "data:image/png;base64,iVBO"
REQUESTS = sorted((DATA / "anthropic_messages").glob("*.json"))


def read(*messages: dict[str, Any], headers: dict[str, str] | None = None, **changes: Any) -> Wanted:
    return read_request({"model": "m", "max_tokens": 50, "messages": list(messages) or [HI], **changes}, headers or {})


def request(*messages: dict[str, Any], **changes: Any) -> ChatRequest:
    return read(*messages, **changes).request


def said(role: str, *blocks: Any) -> dict[str, Any]:
    return {"role": role, "content": list(blocks)}


def text(said: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": said, **more}


def image(**source: Any) -> dict[str, Any]:
    return {"type": "image", "source": source}


def document(source: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "document", "source": source, **more}


def foreign(*messages: dict[str, Any], **changes: Any) -> tuple[str, ...]:
    body = request(*messages, **changes).body
    assert body is not None
    return body.foreign


def violations(**changes: Any) -> dict[str, str]:
    body = {"model": "m", "max_tokens": 50, "messages": [HI], **changes}
    with pytest.raises(InvalidInput) as caught:
        read_request({name: value for name, value in body.items() if value is not ...}, {})
    assert caught.value.reason == "REQUEST_INVALID"
    return {wrong.field: wrong.description for wrong in caught.value.violations}


def test_a_plain_request() -> None:
    fields = {"model": "one/m", "max_tokens": 50, "messages": [HI], "stream": True}
    wanted = read_request(fields, {})
    assert (wanted.model, wanted.streamed, wanted.request.whole) == ("one/m", True, False)
    assert wanted.request.messages == (Message(Role.USER, "Hi"),)
    assert wanted.request.max_output_tokens == 50
    assert wanted.request.body.dialect is Dialect.ANTHROPIC_MESSAGES
    assert wanted.request.body.fields is fields
    assert wanted.request.body.foreign == wanted.request.body.headers == ()
    assert request().whole


def test_everything_that_has_a_place() -> None:
    asked = request(
        temperature=1,
        top_p=0.5,
        top_k=3,
        stop_sequences=["END"],
        metadata={"user_id": "u-1"},
        system="Be brief.",
        service_tier="auto",
        tools=[
            {**TOOL, "description": "Adds.", "strict": True, "cache_control": {"type": "ephemeral", "ttl": "1h"}},
            {**TOOL, "type": "custom", "name": "now", "defer_loading": False, "allowed_callers": ["direct"]},
        ],
        tool_choice={"type": "any", "disable_parallel_tool_use": True},
        output_config={"effort": "low", "format": {"type": "json_schema", "schema": {"type": "object"}}},
        thinking={"type": "enabled", "budget_tokens": 2000},
    )
    assert asked.messages == (Message(Role.SYSTEM, "Be brief."), Message(Role.USER, "Hi"))
    assert (asked.temperature, asked.stop, asked.end_user) == (1, ("END",), "u-1")
    assert asked.sampling == Sampling(top_p=0.5, top_k=3)
    assert asked.tools == (
        Tool("add", "Adds.", {"type": "object"}, strict=True, cached="1h"),
        Tool("now", "", {"type": "object"}),
    )
    assert asked.tool_choice == ToolChoice(ToolUse.REQUIRED)
    assert asked.parallel_tool_calls is False
    assert asked.response_schema == {"type": "object"}
    assert asked.reasoning == Reasoning("low", 2000, shown=True)
    assert asked.body.foreign == asked.body.hints == ()


@pytest.mark.parametrize(
    ("thinking", "meant"),
    [
        ({"type": "adaptive"}, Reasoning(shown=True)),
        ({"type": "adaptive", "display": "omitted"}, Reasoning()),
        ({"type": "disabled"}, Reasoning(budget_tokens=0)),
    ],
)
def test_how_much_to_think(thinking: dict, meant: Reasoning) -> None:
    assert request(thinking=thinking).reasoning == meant


def test_turns_become_messages_in_order() -> None:
    messages = request(
        HI,
        said("assistant", THOUGHT, {"type": "redacted_thinking", "data": "sealed"}, text("Let me see."), CALL),
        said(
            "user",
            {**RESULT, "content": "2", "is_error": True},
            {**RESULT, "tool_use_id": "b", "content": [text("x"), image(type="url", url="https://x.test/a.png")]},
            {**RESULT, "tool_use_id": "c"},
            text("And?"),
        ),
        {"role": "system", "content": "In French."},
        {"role": "assistant", "content": "It is"},
    ).messages
    thoughts = (ThinkingPart("Hm.", "s"), ThinkingPart(redacted="sealed"))
    assert messages == (
        Message(Role.USER, "Hi"),
        Message(
            Role.ASSISTANT,
            "Let me see.",
            (ToolCall("a", "add", '{"x":1}'),),
            parts=(*thoughts, TextPart("Let me see.")),
        ),
        Message(Role.TOOL, "2", tool_call_id="a", is_error=True),
        Message(Role.TOOL, "x", tool_call_id="b", parts=(TextPart("x"), ImagePart(url="https://x.test/a.png"))),
        Message(Role.TOOL, "", tool_call_id="c"),
        Message(Role.USER, "And?"),
        Message(Role.SYSTEM, "In French."),
        Message(Role.ASSISTANT, "It is"),
    )


def test_what_is_shown_besides_text() -> None:
    pdf = {"type": "base64", "media_type": "application/pdf", "data": "JVBE"}
    plain = {"type": "text", "media_type": "text/plain", "data": "Words."}
    blocks = [
        image(type="base64", media_type="image/png", data="iVBO"),
        document(pdf, title="a.pdf", context="Ours.", cache_control=CACHED),
        document({"type": "url", "url": "https://x.test/a.pdf"}),
        document(plain, title="b.txt"),
        document({"type": "content", "content": [text("One."), text("Two.")]}, cache_control=CACHED),
        document({"type": "content", "content": "Three."}),
    ]
    message = request(said("user", *blocks)).messages[0]
    assert message.parts == (
        ImagePart(data="iVBO", media_type="image/png"),
        TextPart("Ours."),
        FilePart(data="JVBE", media_type="application/pdf", name="a.pdf", cached="5m"),
        FilePart(url="https://x.test/a.pdf"),
        TextPart("b.txt"),
        TextPart("Words."),
        TextPart("One."),
        TextPart("Two.", cached="5m"),
        TextPart("Three."),
    )
    assert message.text == "Ours.b.txtWords.One.Two.Three."


def test_marks_of_the_cache_are_kept() -> None:
    asked = request(
        said("user", text("x", cache_control={"type": "ephemeral", "ttl": "1h"})),
        said("assistant", {**CALL, "cache_control": CACHED}),
        said("user", {**RESULT, "content": "2", "cache_control": CACHED}),
        system=[text("a"), text("b", cache_control=CACHED)],
        cache_control=CACHED,
    )
    system, user, _, result = asked.messages
    assert system == Message(Role.SYSTEM, "ab", parts=(TextPart("a"), TextPart("b", "5m")))
    assert user.parts == (TextPart("x", "1h"),)
    assert result == Message(Role.TOOL, "2", tool_call_id="a", parts=(TextPart("2", "5m"),))
    # Those that have no place are named where another provider answers, and nobody is refused for them.
    assert (asked.body.foreign, asked.body.hints) == ((), ("cache_control",))


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"container": "c", "mcp_servers": [], "context_management": None}, ("container",)),
        ({"service_tier": "standard_only"}, ("service_tier",)),
        ({"speed": "standard", "inference_geo": None}, ()),
        ({"max_tokens": 0}, ("max_tokens",)),
        ({"thinking": {"type": "between_tools"}}, ("thinking",)),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, ("web_search_20250305",)),
        ({"tools": [{**TOOL, "allowed_callers": ["code_execution_20250825"]}]}, ("allowed_callers",)),
        ({"output_config": {"task_budget": {"total": 1}}}, ("task_budget",)),
        ({"messages": [said("user", {"type": "search_result", "source": "s"})]}, ("search_result",)),
        ({"messages": [HI, said("assistant", {"type": "server_tool_use", "id": "s"})]}, ("server_tool_use",)),
        ({"messages": [said("user", image(type="file", file_id="f"))]}, ("file_id",)),
        ({"messages": [said("user", document({"type": "file", "file_id": "f"}))]}, ("file_id",)),
        (
            {"messages": [said("user", document({"type": "text", "data": "x"}, citations={"enabled": True}))]},
            ("citations",),
        ),
        ({"messages": [said("user", text("x", sparkle=1))]}, ("sparkle",)),
        ({"messages": [{**HI, "sparkle": 1}]}, ("sparkle",)),
    ],
)
def test_what_only_this_dialect_has_is_named(changes: dict, names: tuple[str, ...]) -> None:
    assert foreign(**changes) == names


def test_a_choice_among_foreign_tools_is_none() -> None:
    search = {"type": "web_search_20250305", "name": "web_search"}
    asked = request(tools=[search], tool_choice={"type": "tool", "name": "web_search"})
    assert (asked.tools, asked.tool_choice) == ((), None)
    assert asked.body.fields["tool_choice"] == {"type": "tool", "name": "web_search"}


def test_documents_that_are_not_to_be_cited_are_nothing_new() -> None:
    assert foreign(said("user", document({"type": "text", "data": "x"}, citations={"enabled": False}))) == ()


def test_foreign_blocks_are_counted_and_leave_no_turn_empty() -> None:
    block = {"type": "search_result", "source": "s", "content": [text("Found.")]}
    message = request(said("user", block)).messages[0]
    assert orjson.loads(message.text) == block


def test_nulls_are_left_out_where_they_say_that_nothing_is_given() -> None:
    service = service_of("one/claude", provider=provider_spec("one", type=ProviderType.ANTHROPIC))
    asked = request(
        said("assistant", {**CALL, "input": {"x": None}, "caller": None, "cache_control": None}),
        said("user", {**RESULT, "content": None, "is_error": None, "cache_control": None}),
        tools=[{**TOOL, "description": None, "strict": None, "type": None, "input_schema": {"default": None}}],
        stop_sequences=None,
        temperature=None,
        system=None,
    )
    assert orjson.loads(messages_body(service, fitted(asked, service).request)) == {
        "model": "claude",
        "max_tokens": 50,
        "stream": False,
        "messages": [said("assistant", {**CALL, "input": {"x": None}}), said("user", RESULT)],
        "tools": [{"name": "add", "input_schema": {"default": None}}],
    }


def test_metadata_is_the_callers_own_whatever_it_is_called() -> None:
    body = request(metadata={"user_id": "u", "provider_team": "x", "mcp": "y"}).body
    assert body is not None
    assert (body.foreign, body.acting, body.hints) == ((), (), ("metadata",))


def test_nulls_of_thoughts_and_of_foreign_blocks_reach_nobody() -> None:
    dumped = [{**THOUGHT, "x": None}, {"type": "redacted_thinking", "data": "d", "x": None}]
    body = request(HI, said("assistant", *dumped)).body
    assert body is not None
    assert body.fields["messages"][1]["content"] == [THOUGHT, {"type": "redacted_thinking", "data": "d"}]
    body = request(said("user", {"type": "sparkle", "x": None})).body
    assert body is not None
    assert body.fields["messages"] == [said("user", {"type": "sparkle"})]


def test_hints_are_no_reason_to_refuse() -> None:
    tool = {**TOOL, "eager_input_streaming": True, "input_examples": [{"x": 1}]}
    cited = said("assistant", text("x", citations=[{"type": "char_location"}]))
    asked = request(HI, cited, tools=[tool])
    assert asked.body.foreign == ()
    assert set(asked.body.hints) == {"eager_input_streaming", "input_examples", "citations"}


def test_what_a_client_sends_back_of_an_answer_is_nothing_new() -> None:
    blocks = [
        text("x", citations=None, parsed_output=None),
        {**CALL, "caller": {"type": "direct"}, "toolset_name": None},
    ]
    asked = request(HI, said("assistant", *blocks))
    assert (asked.body.foreign, asked.body.hints) == ((), ())


def test_trials_that_a_caller_opts_into_are_told_to_providers_of_the_dialect_alone() -> None:
    headers = {"anthropic-version": "2023-06-01", "anthropic-beta": "context-1m-2025-08-07,mcp-client-2025-11-20"}
    asked = read(headers=headers).request
    assert asked.body.headers == (("anthropic-beta", headers["anthropic-beta"]),)
    assert asked.body.foreign == ()
    same = service_of(provider=provider_spec("one", type=ProviderType.ANTHROPIC))
    other = service_of(provider=provider_spec("one", type=ProviderType.OPENAI_COMPATIBLE))
    assert fitted(asked, same).request is asked
    assert fitted(asked, other).dropped == ("anthropic-beta",)


@pytest.mark.parametrize("headers", [{}, *({"anthropic-version": each} for each in ("2023-06-01", "2026-10-21"))])
def test_both_versions_of_today_are_spoken(headers: dict[str, str]) -> None:
    assert read(headers=headers).request.body.headers == ()


@pytest.mark.parametrize(
    "headers", [{"anthropic-version": "2023-01-01"}, {"anthropic-beta": "x" * 3000}, {"anthropic-beta": "a\tb"}]
)
def test_headers_that_mean_something_else_are_refused(headers: dict) -> None:
    with pytest.raises(InvalidInput) as caught:
        read(headers=headers)
    assert [wrong.field for wrong in caught.value.violations] == list(headers)


def test_thoughts_without_a_signature_are_another_models_and_are_not_sent_back() -> None:
    asked = request(HI, said("assistant", {**THOUGHT, "signature": ""}, THOUGHT, text("x")), HI)
    assert asked.messages[1].parts[0] == ThinkingPart("Hm.")
    assert asked.body.fields["messages"] == [HI, said("assistant", THOUGHT, text("x")), HI]


@pytest.mark.parametrize("path", REQUESTS, ids=lambda path: path.stem)
def test_a_request_survives_the_way_through_the_router(path: Any) -> None:
    """Read and written again without the caller's own words: what a provider of the dialect is then asked."""
    body = orjson.loads(path.read_bytes())
    asked = read_request(body["asked"], {}).request
    service = service_of("one/claude", provider=provider_spec("one", type=ProviderType.ANTHROPIC))
    written = orjson.loads(messages_body(service, fitted(asked, service, relayed=False).request))
    assert written == body.get("written", {**body["asked"], "model": "claude"})


def test_tokens_are_counted_without_a_limit() -> None:
    assert read_request({"model": "m", "messages": [HI]}, {}, limited=False).request.max_output_tokens is None
    assert violations(max_tokens=...) == {"max_tokens": "is missing"}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"model": ""}, "model"),
        ({"bad\r\nx-header: 1": 1}, "bad\r\nx-header: 1"),
        ({"messages": [said("user", {"type": "bad\r\n"})]}, "messages[0].content[0]"),
        ({"model": 5}, "model"),
        ({"max_tokens": True}, "max_tokens"),
        ({"max_tokens": 5.0}, "max_tokens"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"max_tokens": 2**31}, "max_tokens"),
        ({"messages": {}}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": ["x"]}, "messages[0]"),
        ({"messages": [HI, {"role": "tool", "content": "x"}]}, "messages[1].role"),
        ({"messages": [{"role": ["user"], "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": ""}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
        ({"messages": [said("user")]}, "messages[0].content"),
        ({"messages": [said("user", text(""))]}, "messages[0].content"),
        ({"messages": [said("user", "x")]}, "messages[0].content[0]"),
        ({"messages": [said("user", {"text": "x"})]}, "messages[0].content[0].type"),
        ({"messages": [said("user", {"type": ["text"]})]}, "messages[0].content[0].type"),
        ({"messages": [said("user", {"type": "text", "text": 5})]}, "messages[0].content[0].text"),
        ({"messages": [said("user", CALL)]}, "messages[0].content[0].type"),
        ({"messages": [said("user", THOUGHT)]}, "messages[0].content[0].type"),
        ({"messages": [said("assistant", RESULT)]}, "messages[0].content[0].type"),
        ({"messages": [said("assistant", {**CALL, "input": "{}"})]}, "messages[0].content[0].input"),
        ({"messages": [said("assistant", {**CALL, "id": ""})]}, "messages[0].content[0].id"),
        ({"messages": [said("user", {**RESULT, "content": [RESULT]})]}, "messages[0].content[0].content[0].type"),
        ({"messages": [said("user", {**RESULT, "is_error": 1})]}, "messages[0].content[0].is_error"),
        ({"messages": [said("user", image(type="url", url=DATA_URL))]}, "messages[0].content[0].source.url"),
        (
            {"messages": [said("user", image(type="url", url="http://169.254.169.254/"))]},
            "messages[0].content[0].source.url",
        ),
        (
            {"messages": [said("user", image(type="base64", media_type="image/png", data="x", url="https://x.test/"))]},
            "messages[0].content[0].source.url",
        ),
        (
            {"messages": [said("user", image(type="base64", media_type="image/png", data="https://x.test/"))]},
            "messages[0].content[0].source.data",
        ),
        (
            {"messages": [said("user", document({"type": "url", "url": "https://x.test/", "file_id": "f"}))]},
            "messages[0].content[0].source.file_id",
        ),
        (
            {"messages": [said("user", image(type="base64", media_type="text/html", data="x"))]},
            "messages[0].content[0].source.media_type",
        ),
        ({"messages": [said("user", image(type="telepathy"))]}, "messages[0].content[0].source.type"),
        (
            {"messages": [said("user", document({"type": "content", "content": []}))]},
            "messages[0].content[0].source.content",
        ),
        (
            {"messages": [said("user", document({"type": "content", "content": [CALL]}))]},
            "messages[0].content[0].source.content[0].type",
        ),
        (
            {"messages": [said("user", text("x", cache_control={"type": "ephemeral", "ttl": "2h"}))]},
            "messages[0].content[0].cache_control.ttl",
        ),
        ({"system": 5}, "system"),
        ({"system": [image(type="url", url="https://x.test")]}, "system[0].type"),
        ({"temperature": 1.5}, "temperature"),
        ({"temperature": False}, "temperature"),
        ({"top_p": "0.5"}, "top_p"),
        ({"top_k": -1}, "top_k"),
        ({"stop_sequences": "END"}, "stop_sequences"),
        ({"stop_sequences": ["a", ""]}, "stop_sequences[1]"),
        ({"stream": "yes"}, "stream"),
        ({"metadata": []}, "metadata"),
        ({"metadata": {"user_id": 5}}, "metadata.user_id"),
        ({"thinking": {"type": "enabled"}}, "thinking.budget_tokens"),
        ({"thinking": {"type": "enabled", "budget_tokens": 1000}}, "thinking.budget_tokens"),
        ({"output_config": {"format": {"type": "xml"}}}, "output_config.format.type"),
        ({"output_format": {"type": "json_schema"}}, "output_format.schema"),
        ({"tools": [{"name": "x"}]}, "tools[0].input_schema"),
        ({"tools": [TOOL, {"input_schema": {}}]}, "tools[1].name"),
        ({"tools": [{**TOOL, "type": 5}]}, "tools[0].type"),
        ({"tool_choice": {"type": "tool"}}, "tool_choice.name"),
        ({"tool_choice": {"type": "required"}}, "tool_choice.type"),
        ({"service_tier": "free"}, "service_tier"),
        # What servers might take for more, for another model, or for another place or payer than was decided.
        ({"speed": "fast"}, "speed"),
        ({"fallbacks": [{"model": "dearer"}]}, "fallbacks"),
        ({"inference_geo": "global"}, "inference_geo"),
        ({"workspace_id": "w"}, "workspace_id"),
        ({"max_output_tokens": 9000}, "max_output_tokens"),
        ({"num_predict": 9000}, "num_predict"),
        ({"min_tokens": 9000}, "min_tokens"),
        ({"options": {"num_predict": 9000}}, "options.num_predict"),
        ({"extra_body": {"x": 1}}, "extra_body"),
        ({"messages": [{**HI, "max_output_tokens": 9000}]}, "messages[0].max_output_tokens"),
        ({"Max_Tokens": 9000}, "Max_Tokens"),
        ({"MODEL": "dearer"}, "MODEL"),
        ({f"x{i}": 1 for i in range(33)}, "x32"),
    ],
)
def test_what_is_wrong_is_told_by_its_path(changes: dict, field: str) -> None:
    assert list(violations(**changes)) == [field]


def test_all_wrong_fields_are_told_at_once() -> None:
    assert violations(model=..., max_tokens="x", top_k=0.5) == {
        "model": "is missing",
        "max_tokens": "must be a whole number",
        "top_k": "must be a whole number",
    }


FULL = [orjson.loads(path.read_bytes())["asked"] for path in REQUESTS]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2**40) | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every place of a value in another one: what holds it, and where."""
    inner = (
        list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []
    )
    return [(value, key) for key, _ in inner] + [place for _, each in inner for place in places(each)]


@given(st.sampled_from(FULL), st.data())
def test_whatever_stands_in_a_field_is_read_or_refused(body: dict[str, Any], data: st.DataObject) -> None:
    body = orjson.loads(orjson.dumps(body))
    for _ in range(data.draw(st.integers(1, 3))):
        owner, key = data.draw(st.sampled_from(places(body)))
        owner[key] = data.draw(JSON)
    service = service_of(provider=provider_spec("one", type=ProviderType.ANTHROPIC))
    try:
        asked = read_request(body, {}).request
        asked.check()
    except InvalidInput:
        return
    for relayed in (True, False):
        sent = orjson.loads(messages_body(service, fitted(asked, service, relayed=relayed).request))
        assert sent["max_tokens"] <= max(1, body["max_tokens"])
