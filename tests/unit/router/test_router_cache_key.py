"""What is in the key of an answer: everything that could have made it another answer."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from router_cache_fakes import asked, rule_set

from provider_router.domain.cache.cache_key import cache_key, may_be_cached
from provider_router.domain.cache.cached_answer import CacheKey
from provider_router.domain.calls.chat import Message, Role, Tool, ToolCall
from provider_router.domain.calls.chat_call import CacheMode, ChatCall, OnBreak, RoutingOptions
from provider_router.domain.contracts.contract import DataClass
from provider_router.domain.decisions.route_request import Caller, Comparison, TraitConstraint
from provider_router.domain.rulebook.rules import Requirement, Services, When

MODEL = "local/embed@1/2"
TOOL = Tool("add", "adds", {"type": "object", "properties": {"a": {}, "b": {}}})
CALL = ToolCall("c1", "add", '{"a": 1}')
BEFORE = (Message(Role.SYSTEM, "Be brief."), Message(Role.USER, "Hi"), Message(Role.ASSISTANT, "Hello"))


def key(call: ChatCall, *, chain: tuple[str, ...] = ("one/m",), model: str = MODEL, **rules: object) -> CacheKey:
    return cache_key(call, rule_set(**rules), chain, model)


def semantic(text: str = "What is the capital of France?", **changes: object) -> ChatCall:
    return asked(text, mode=CacheMode.SEMANTIC, **changes)


@pytest.mark.parametrize(
    "other",
    [
        asked("What is the capital of France? "),
        asked(before=BEFORE),
        asked(caller=Caller("acme", "ann", roles=("admin",))),
        asked(caller=Caller("other", "ann")),
        asked(options={"model": "one/m"}),
        asked(options={"model": "one/"}),
        asked(options={"tier": "deep"}),
        asked(options={"data_class": DataClass.PUBLIC}),
        asked(options={"residency": frozenset({"eu"})}),
        asked(options={"traits": (TraitConstraint("a", Comparison.EQUAL, (1,)),)}),
        asked(options={"max_cost_micro_usd": 0}),
        asked(tools=(TOOL,)),
        asked(response_schema={"type": "object"}),
        asked(temperature=0.0),
        asked(max_output_tokens=10),
        asked(stop=("\n",)),
    ],
)
def test_whatever_changes_the_answer_changes_the_key(other: ChatCall) -> None:
    assert key(other).exact != key(asked()).exact
    meant = replace(other, options=replace(other.options, cache=CacheMode.SEMANTIC))
    if other.request.messages != asked("What is the capital of France? ").request.messages:
        assert key(meant).family != key(semantic()).family


@pytest.mark.parametrize(
    "other",
    [
        asked(caller=Caller("acme", "bob", "key-9")),
        replace(asked(), streamed=False),
        asked(options={"timeout_ms": 5}),
        asked(options={"conversation_id": "c"}),
        asked(options={"hedge": False, "on_break": OnBreak.CONTINUE}),
        asked(options={"cache_max_age_s": 5, "cache_min_similarity_ppm": 990_000}),
        asked(options={"data_class": DataClass.INTERNAL}),
        semantic(),
    ],
)
def test_whatever_changes_how_it_is_given_does_not(other: ChatCall) -> None:
    assert key(other).exact == key(asked()).exact


def test_a_change_of_the_rules_changes_the_key() -> None:
    assert key(asked(), digest="rules-2").exact != key(asked()).exact
    assert key(semantic(), digest="rules-2").family != key(semantic()).family


def test_a_change_of_the_chain_changes_the_key_of_those_who_follow_it() -> None:
    named = asked(options={"model": "one/m"})

    assert key(asked(), chain=("two/m",)).exact != key(asked()).exact
    assert key(named, chain=("two/m",)).exact == key(named).exact


def test_rules_that_tell_users_apart_keep_their_answers_apart() -> None:
    bob = asked(caller=Caller("acme", "bob"))
    reads = {"policy_reads": frozenset({"user"})}

    assert key(bob, **reads).exact != key(asked(), **reads).exact


def test_values_of_traits_keep_their_types() -> None:
    keys = {
        key(asked(options={"traits": (TraitConstraint("a", Comparison.EQUAL, (value,)),)})).exact
        for value in (True, 1, "1", "true")
    }
    assert len(keys) == 4


def test_the_order_of_fields_in_a_schema_counts() -> None:
    one, other = {"a": {}, "b": {}}, {"b": {}, "a": {}}

    assert key(asked(response_schema=one)).exact != key(asked(response_schema=other)).exact


def test_parts_cannot_run_into_each_other() -> None:
    calls = [
        asked("ab", before=(Message(Role.USER, "c"),)),
        asked("b", before=(Message(Role.USER, "ca"),)),
        asked("b", before=(Message(Role.USER, "c"), Message(Role.USER, "a"))),
        asked("b", stop=("a", "c")),
        asked("b", stop=("ac",)),
        asked("b", stop=("c", "a")),
        asked("b", options={"model": "x", "tier": "yz"}),
        asked("b", options={"model": "xy", "tier": "z"}),
        asked('b"],["user","c'),
        asked("b", before=(Message(Role.ASSISTANT, "", (CALL,)), Message(Role.TOOL, "1", (), "c1"))),
        asked("b", before=(Message(Role.ASSISTANT, "", (CALL,)), Message(Role.TOOL, "", (), "c11"))),
    ]
    assert len({key(call).exact for call in calls}) == len(calls)


@given(st.lists(st.text(max_size=5), min_size=1, max_size=4), st.lists(st.text(max_size=5), min_size=1, max_size=4))
def test_only_the_same_messages_have_the_same_key(one: list[str], other: list[str]) -> None:
    keys = [
        key(asked(texts[-1], before=[Message(Role.USER, text) for text in texts[:-1]])).exact for texts in (one, other)
    ]
    assert (keys[0] == keys[1]) == (one == other)


def test_a_family_shares_all_but_the_last_words() -> None:
    one, other = key(semantic()), key(semantic("Tell me the capital of France, please."))

    assert one.exact != other.exact
    assert one.may_mean(other)
    assert one.family == other.family


@pytest.mark.parametrize(
    "other",
    [
        semantic("What is the capital of Spain?"),
        semantic(before=BEFORE),
        semantic(tools=(TOOL,)),
        semantic(caller=Caller("other", "ann")),
        semantic(options={"model": "one/m"}),
        semantic(temperature=0.2),
    ],
)
def test_another_name_earlier_turn_tool_organisation_or_parameter_is_another_family(other: ChatCall) -> None:
    assert key(other).family
    assert not key(semantic()).may_mean(key(other))


def test_the_same_earlier_turns_are_one_family() -> None:
    one = key(semantic("And of France?", before=BEFORE))
    other = key(semantic("And that of France?", before=BEFORE))
    assert one.may_mean(other)


def test_vectors_of_another_embedding_model_are_another_family() -> None:
    assert key(semantic()).family != key(semantic(), model="local/embed@2/2").family
    assert key(semantic()).exact == key(semantic(), model="").exact


@pytest.mark.parametrize(
    "call",
    [
        asked(),
        semantic("x" * 1_001),
        semantic(temperature=0.51),
        replace(
            semantic(),
            request=replace(
                semantic().request,
                messages=(
                    Message(Role.USER, "1 + 1?"),
                    Message(Role.ASSISTANT, "", (CALL,)),
                    Message(Role.TOOL, "2", (), "c1"),
                ),
            ),
        ),
    ],
    ids=["exact mode", "a long text", "a high temperature", "a pending tool result"],
)
def test_only_the_very_same_request_finds_the_answer(call: ChatCall) -> None:
    assert (key(call).family, key(call).bag, key(call).sequence) == ("", "", "")
    assert key(call).exact


def test_without_an_embedding_model_there_is_no_family() -> None:
    assert key(semantic(), model="").family == ""


@pytest.mark.parametrize(
    "rules",
    [
        {"policy_reads": frozenset({"complexity"})},
        {"policy_reads": frozenset({"task_class"})},
        {"requirements": (Requirement("r", 1, When(task_classes=frozenset({"code"})), Services()),)},
        {"requirements": (Requirement("r", 1, When(max_complexity_ppm=500_000), Services()),)},
    ],
)
def test_rules_that_read_the_task_allow_the_very_same_request_only(rules: dict) -> None:
    assert key(semantic(), **rules).family == ""


@pytest.mark.parametrize(
    ("data_class", "default", "allowed"),
    [
        (None, DataClass.INTERNAL, True),
        (None, DataClass.CONFIDENTIAL, False),
        (DataClass.PUBLIC, DataClass.RESTRICTED, True),
        (DataClass.CONFIDENTIAL, DataClass.PUBLIC, False),
        (DataClass.RESTRICTED, DataClass.PUBLIC, False),
    ],
)
def test_answers_to_sensitive_requests_are_never_kept(
    data_class: DataClass | None, default: DataClass, allowed: bool
) -> None:
    call = asked(options={"data_class": data_class})

    assert may_be_cached(call, rule_set(default_data_class=default)) == allowed


def test_nobody_is_cached_without_asking_or_without_an_organisation() -> None:
    assert not may_be_cached(asked(mode=CacheMode.OFF), rule_set())
    assert not may_be_cached(asked(caller=Caller("", "ann")), rule_set())
    assert RoutingOptions().cache is CacheMode.OFF
