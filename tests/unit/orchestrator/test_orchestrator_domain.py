"""Runs, events, arguments, budgets: the pure part."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from orchestrator_fakes import new_run

from orchestrator.domain.agent_config import AgentConfig, RequestedLimits, limits_within
from orchestrator.domain.chat import ChatMessage, ChatRole, ChatToolCallPart
from orchestrator.domain.conversation import TITLE_CHARS, title_of
from orchestrator.domain.events import (
    AnswerReset,
    RunCancelled,
    RunFailed,
    RunFinished,
    TokenDelta,
    ToolCallFinished,
    UsageReported,
    streamed_text,
    usage_of,
)
from orchestrator.domain.json_arguments import json_object_in
from orchestrator.domain.pages import PageMark, page_request, token_of
from orchestrator.domain.prompt_budget import budget_of, fit_history, tokens_of_message, trimmed
from orchestrator.domain.run import Failure, Limits, RunStatus, Usage
from orchestrator.domain.run_lifecycle import accepted, begin_attempt, check_transition, end, next_statuses
from orchestrator.domain.tool_choice import ChoiceRules, Likeness, choose
from orchestrator.domain.turn_assembly import CallAssembly
from shared.errors import InvalidInput, PreconditionFailed
from shared.testing.fakes import FakeClock

NOW = FakeClock().now()


def test_final_statuses_have_no_way_out_and_the_others_do() -> None:
    assert {status for status in RunStatus if not next_statuses(status)} == {s for s in RunStatus if s.final}


@given(st.sampled_from(RunStatus), st.sampled_from(RunStatus))
def test_only_listed_transitions_are_allowed(before, after) -> None:
    if after in next_statuses(before):
        check_transition(before, after)
        return
    with pytest.raises(PreconditionFailed) as raised:
        check_transition(before, after)
    assert raised.value.reason == "RUN_TRANSITION_INVALID"
    assert raised.value.metadata == {"from": before, "to": after}


def test_a_run_goes_from_waiting_over_work_to_its_end() -> None:
    run = accepted(new_run(), "c")
    working = begin_attempt(run, NOW, released=False)
    assert (working.status, working.attempt, working.crashes, working.started_at) == (RunStatus.RUNNING, 1, 0, NOW)
    again = begin_attempt(working, NOW + timedelta(seconds=9), released=False)
    assert (again.attempt, again.crashes, again.started_at) == (2, 1, NOW)
    done = end(again, RunFailed(Failure("TIMEOUT", "Slow."), "half"), NOW)
    assert (done.status, done.answer, done.ended_at) == (RunStatus.FAILED, "half", NOW)
    for ending in (RunFinished(""), RunFailed(Failure("X", "x")), RunCancelled("user-1")):
        with pytest.raises(PreconditionFailed):
            end(done, ending, NOW)
    with pytest.raises(PreconditionFailed):
        begin_attempt(done, NOW, released=True)


def test_a_waiting_run_cannot_be_completed() -> None:
    with pytest.raises(PreconditionFailed):
        end(accepted(new_run(), "c"), RunFinished("x"), NOW)


@pytest.mark.parametrize(("answered", "model"), [("a/b", "a/b"), ("", "c/d")])
def test_a_run_keeps_the_model_that_answered_or_else_the_one_that_was_chosen(answered, model) -> None:
    working = begin_attempt(replace(accepted(new_run(), "c"), model=answered), NOW, released=False)
    assert end(working, RunFinished("x", "c/d"), NOW).model == model


def test_usage_is_the_sum_of_the_events() -> None:
    call = ToolCallFinished("c", "t", "{}", ok=True, output_json="{}", summary="s", duration_ms=1)
    unpriced = UsageReported("m", 10, 20, 30, cost_unknown=True)
    total = usage_of([UsageReported("m", 1, 2, 3), TokenDelta("x"), call, unpriced, call])
    assert total == Usage(11, 22, 33, 2, 2, cost_unknown=1)


def test_a_reset_voids_the_text_before_it() -> None:
    assert streamed_text([TokenDelta("a"), AnswerReset("r"), TokenDelta("b"), TokenDelta("c")]) == "bc"


@pytest.mark.parametrize(
    ("asked", "limits"),
    [
        (RequestedLimits(), Limits(8, 16, 120.0)),
        (RequestedLimits(2, 3, 1.5), Limits(2, 3, 1.5)),
        (RequestedLimits(50, 100, 3600.0), Limits(8, 16, 120.0)),
    ],
)
def test_a_run_never_gets_more_than_its_organisation_allows(asked, limits) -> None:
    assert limits_within(AgentConfig(), asked) == limits


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"a": 1}', '{"a":1}'),
        ("", "{}"),
        ("  \n", "{}"),
        ('```json\n{"a": 1}\n```', '{"a":1}'),
        ('Sure! Here it is: {"a": {"b": [1, 2]}} Hope it helps.', '{"a":{"b":[1,2]}}'),
        ('{broken {"a": 1}', '{"a":1}'),
        ('"{\\"a\\": 1}"', '{"a":1}'),
        ("[1, 2]", None),
        ("null", None),
        ("nothing here", None),
        ('{"a": 1', None),
        ("[" * 100_000, None),
        ("{" * 100_000, None),
    ],
)
def test_json_is_found_however_a_model_wraps_it(text, found) -> None:
    assert json_object_in(text) == found


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), JSON, max_size=4), st.sampled_from(["{}", "```json\n{}\n```", "Here: {} ok"]))
def test_every_object_comes_back_from_every_wrapping(value, wrapping) -> None:
    text = json.dumps(value)
    if "```" in text:
        return
    found = json_object_in(wrapping.replace("{}", text))
    assert found is not None
    assert json.loads(found) == value


def test_tool_calls_are_put_together_from_their_pieces() -> None:
    assembly = CallAssembly()
    for part in (
        ChatToolCallPart(1, "b", "second", '{"x"'),
        ChatToolCallPart(0, "a", "first", ""),
        ChatToolCallPart(1, "", "", ":1}"),
    ):
        assembly.add(part)
    assert assembly.calls((), 0) == [
        {"id": "a", "tool": "first", "arguments": ""},
        {"id": "b", "tool": "second", "arguments": '{"x":1}'},
    ]


def test_ids_are_unique_within_a_run_whatever_the_model_says() -> None:
    assembly = CallAssembly()
    for index, call_id in enumerate(("call_1", "call_1", "", "y" * 65, "fine")):
        assembly.add(ChatToolCallPart(index, call_id, "t", "{}"))
    ids = [call["id"] for call in assembly.calls({"call_1"}, 3)]
    assert ids == ["call_3_0", "call_3_1", "call_3_2", "call_3_3", "fine"]


def message(text: str) -> ChatMessage:
    return ChatMessage(ChatRole.USER, text)


@given(st.lists(st.text(max_size=80).map(message), max_size=20), st.integers(-10, 400))
def test_history_keeps_the_newest_that_fit_without_a_gap(history, room) -> None:
    fitted = fit_history(history, room)
    kept = list(fitted.messages)
    assert kept == history[len(history) - len(kept) :]
    assert fitted.dropped == len(history) - len(kept)
    assert sum(map(tokens_of_message, kept)) <= max(room, 0)
    if fitted.dropped:
        one_more = history[len(history) - len(kept) - 1]
        assert sum(map(tokens_of_message, [one_more, *kept])) > room


def test_a_small_context_keeps_a_quarter_for_the_answer() -> None:
    assert (budget_of(2048).prompt_tokens, budget_of(2048).output_tokens) == (1536, 512)
    assert budget_of(128_000).output_tokens == 1024
    assert budget_of(0).prompt_tokens == 31_744


def test_what_is_cut_says_how_much() -> None:
    assert trimmed("x" * 100, 25) == "x" * 100
    assert trimmed("x" * 101, 25) == "x" * 100 + "\n[... cut: 1 more characters]"


@given(st.text(max_size=500))
def test_a_title_is_one_short_line(question) -> None:
    title = title_of(question)
    assert len(title) <= TITLE_CHARS
    assert len(title.splitlines()) <= 1


def test_a_title_is_cut_at_a_word() -> None:
    assert title_of("word " * 30) == "word word word word word word word word word word word…"
    assert title_of("  a\nb ") == "a b"


@given(st.integers(0, 2**60), st.uuids().map(str))
def test_page_tokens_come_back(created_us, row_id) -> None:
    mark = PageMark(created_us, row_id)
    assert page_request(0, token_of(mark)).after == mark


@pytest.mark.parametrize("token", ["!", "abc", "YWJj", "\u00e9", "A" * 255, "OTk5OTk5OTk5OTk5OTk5OTk5OTk5LngK"])
def test_foreign_page_tokens_are_refused(token) -> None:
    with pytest.raises(InvalidInput, match="PAGE_TOKEN_INVALID"):
        page_request(10, token)


@pytest.mark.parametrize(
    ("tools", "none", "evidence", "chosen"),
    [
        ({"a": 0.9, "b": 0.5}, 0.4, (), "a"),
        ({"a": 0.9, "b": 0.89}, 0.4, (), None),
        ({"a": 0.3, "b": 0.1}, 0.0, (), None),
        ({"a": 0.5}, 0.45, (), None),
        ({"a": 0.5}, 0.45, ("a",), "a"),
        ({"a": 0.5}, 0.45, ("b",), None),
        ({}, 0.0, (), None),
    ],
)
def test_a_tool_is_chosen_only_when_it_leads(tools, none, evidence, chosen) -> None:
    assert choose(Likeness(tools, none), evidence, ChoiceRules()) == chosen


def test_a_limit_can_be_raised_by_rules() -> None:
    rules = replace(ChoiceRules(), least_likeness=0.95)
    assert choose(Likeness({"a": 0.9}, 0.1), (), rules) is None
