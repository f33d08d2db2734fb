"""What every run store does."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from orchestrator_fakes import new_run, other

from orchestrator.adapters.event_codec import decode_payload
from orchestrator.domain.chat import CacheHit
from orchestrator.domain.events import (
    AnswerReset,
    NewEvent,
    RunCancelled,
    RunFailed,
    RunFinished,
    RunStarted,
    StepStarted,
    TokenDelta,
    ToolCallFinished,
    ToolCallStarted,
    UsageReported,
    Warned,
)
from orchestrator.domain.pages import page_request
from orchestrator.domain.routing import CacheMode, DataClass, Routing
from orchestrator.domain.run import Failure, RunStatus, ToolCallSummary, Usage
from shared.errors import AlreadyExists, NotFound, PreconditionFailed
from shared.testing.fakes import FakeClock
from shared.testing.harness import principal

NOW = FakeClock().now()
LATER = NOW + timedelta(seconds=5)


def said(text: str) -> NewEvent:
    return NewEvent(NOW, TokenDelta(text))


async def begun(stores, run_id: str = "run-1", **changes):
    accepted = await stores.runs.accept(new_run(run_id, **changes))
    return await stores.runs.begin(accepted.run.org_id, run_id, NOW)


async def payloads(stores, run_id: str = "run-1"):
    return [event.payload for event in await stores.runs.events("org-a", run_id, 0, 100)]


async def test_an_accepted_run_is_there_with_its_first_event_and_its_message(stores) -> None:
    accepted = await stores.runs.accept(new_run(question="What is 2+2?"))
    assert accepted.created
    run = await stores.runs.get("org-a", "run-1")
    assert run == accepted.run
    assert (run.status, run.last_sequence, run.attempt) == (RunStatus.PENDING, 1, 0)
    assert run.principal.roles == {"owner"}
    (event,) = await stores.runs.events("org-a", "run-1", 0, 10)
    assert (event.sequence, event.payload) == (1, RunStarted("conv-run-1", "What is 2+2?"))
    (message,) = await stores.conversations.messages("org-a", "conv-run-1", 10)
    assert (message.text, message.run_id) == ("What is 2+2?", "run-1")


async def test_a_run_is_driven_in_the_name_of_its_caller_and_its_key(stores) -> None:
    who = principal(permissions=("models.use",), key_id="key-1")
    await stores.runs.accept(new_run(principal=who))
    assert (await stores.runs.get("org-a", "run-1")).principal == who
    (ticket,) = await stores.runs.unfinished()
    assert ticket.principal == who
    assert (await begun(stores, "run-2")).principal == principal()


@pytest.mark.parametrize(
    "routing",
    [
        Routing(),
        Routing("deep", DataClass.RESTRICTED, ("eu", "ch"), 0, CacheMode.SEMANTIC),
        Routing(max_cost_micro_usd=7, cache_mode=CacheMode.EXACT),
    ],
)
async def test_a_run_keeps_how_it_is_routed_and_its_channel_through_every_attempt(stores, routing) -> None:
    accepted = await stores.runs.accept(new_run(routing=routing, channel="mcp"))
    first = await stores.runs.begin("org-a", "run-1", NOW)
    again = await stores.runs.begin("org-a", "run-1", NOW)
    assert [run.routing for run in (accepted.run, first, again)] == [routing] * 3
    assert [run.channel for run in (accepted.run, first, again)] == ["mcp"] * 3


async def test_the_same_request_gives_the_first_run(stores) -> None:
    await stores.runs.accept(new_run("run-1", request_id="r"))
    again = await stores.runs.accept(new_run("run-2", request_id="r"))
    assert (again.created, again.run.run_id) == (False, "run-1")
    with pytest.raises(NotFound):
        await stores.runs.get("org-a", "run-2")


async def test_the_same_request_at_once_makes_one_run(stores) -> None:
    all_accepted = await asyncio.gather(*(stores.runs.accept(new_run(f"run-{n}", request_id="r")) for n in range(8)))
    assert len({accepted.run.run_id for accepted in all_accepted}) == 1
    assert sum(accepted.created for accepted in all_accepted) == 1


async def test_another_question_under_the_same_request_id_is_refused(stores) -> None:
    await stores.runs.accept(new_run("run-1", request_id="r", fingerprint="a"))
    with pytest.raises(AlreadyExists) as raised:
        await stores.runs.accept(new_run("run-2", request_id="r", fingerprint="b"))
    assert raised.value.reason == "REQUEST_ID_REUSED"


async def test_request_ids_belong_to_their_user(stores) -> None:
    await stores.runs.accept(new_run("run-1", request_id="r"))
    for number, who in enumerate((other(), other("org-a", "user-2"), other("org-b", "user-1")), 2):
        accepted = await stores.runs.accept(new_run(f"run-{number}", request_id="r", principal=who))
        assert accepted.created


@pytest.mark.parametrize("who", [other(), other("org-a", "user-2"), other("org-b", "user-1")])
async def test_somebody_elses_conversation_is_not_there(stores, who) -> None:
    await stores.runs.accept(new_run("run-1"))
    with pytest.raises(NotFound) as raised:
        await stores.runs.accept(new_run("run-2", conversation_id="conv-run-1", principal=who))
    assert raised.value.reason == "CONVERSATION_NOT_FOUND"
    assert (await stores.runs.unfinished())[0].run_id == "run-1"


async def test_a_refused_run_leaves_nothing_behind(stores) -> None:
    with pytest.raises(NotFound):
        await stores.runs.accept(new_run("run-1", conversation_id="nowhere"))
    assert await stores.runs.unfinished() == []
    assert await stores.runs.events("org-a", "run-1", 0, 10) == []


async def test_events_get_numbers_without_gaps(stores) -> None:
    run = await begun(stores)
    assert await stores.runs.append(run, [said("a"), said("b")]) == 3
    assert await stores.runs.append(run, [said("c")]) == 4
    events = await stores.runs.events("org-a", "run-1", 0, 100)
    assert [event.sequence for event in events] == [1, 2, 3, 4]
    assert [e.sequence for e in await stores.runs.events("org-a", "run-1", 2, 1)] == [3]
    assert (await stores.runs.get("org-a", "run-1")).last_sequence == 4


async def test_every_payload_comes_back_as_it_was(stores) -> None:
    run = await begun(stores)
    written = [
        StepStarted("model", 2),
        TokenDelta("Grüße 👋\n\u2028"),
        AnswerReset("again"),
        ToolCallStarted("c", "calculator", '{"expression":"1+1"}'),
        ToolCallFinished(
            "c",
            "calculator",
            '{"expression":"1+1"}',
            ok=True,
            output_json='{"result":"2"}',
            summary="1+1 = 2",
            duration_ms=12,
        ),
        UsageReported("p/m", 1, 2, 3),
        UsageReported("p/m", 1, 2, 0, cost_unknown=True, cache_hit=CacheHit(CacheMode.SEMANTIC, 12_300, 970_000)),
        Warned("OFFLINE_MODEL", "Small."),
    ]
    await stores.runs.append(run, [NewEvent(NOW, payload) for payload in written])
    events = await stores.runs.events("org-a", "run-1", 1, 100)
    assert [event.payload for event in events] == written
    assert {event.created_at for event in events} == {NOW}


def test_an_event_that_an_older_version_stored_is_read() -> None:
    stored = '{"model":"p/m","input_tokens":1,"output_tokens":2,"cost_micro_usd":3}'
    assert decode_payload("usage_reported", stored) == UsageReported("p/m", 1, 2, 3)


async def test_usage_model_and_tool_calls_add_up_on_the_run(stores) -> None:
    run = await begun(stores)
    call = ToolCallFinished("c", "calculator", "{}", ok=False, output_json="", summary="bad", duration_ms=1)
    await stores.runs.append(run, [NewEvent(NOW, UsageReported("p/a", 10, 2, 5)), NewEvent(NOW, call)])
    await stores.runs.append(run, [NewEvent(NOW, UsageReported("p/b", 1, 1, 1, cost_unknown=True))])
    ended = await stores.runs.end(run, [NewEvent(NOW, call)], RunFinished("x"), LATER)
    assert ended.usage == Usage(11, 3, 6, 2, 2, cost_unknown=1)
    assert ended.model == "p/b"
    assert ended.tool_calls == (ToolCallSummary("c", "calculator", "{}", ok=False, summary="bad"),) * 2
    assert await stores.runs.get("org-a", "run-1") == ended


@pytest.mark.parametrize(
    ("ending", "status", "failure"),
    [
        (RunFinished("4"), RunStatus.COMPLETED, None),
        (RunFailed(Failure("TIMEOUT", "Slow."), "4"), RunStatus.FAILED, Failure("TIMEOUT", "Slow.")),
        (RunCancelled("user-1", "4"), RunStatus.CANCELLED, None),
    ],
)
async def test_an_ending_is_the_last_event_and_keeps_the_answer(stores, ending, status, failure) -> None:
    run = await begun(stores)
    ended = await stores.runs.end(run, [said("4")], ending, LATER)
    assert (ended.status, ended.answer, ended.failure, ended.ended_at) == (status, "4", failure, LATER)
    assert (await payloads(stores))[-2:] == [TokenDelta("4"), ending]
    assert ended.last_sequence == 3
    messages = await stores.conversations.messages("org-a", "conv-run-1", 10)
    assert [message.text for message in messages] == ["What is 2+2?", "4"]


async def test_an_ending_without_an_answer_adds_no_message(stores) -> None:
    run = await begun(stores)
    await stores.runs.end(run, [], RunFailed(Failure("TIMEOUT", "Slow.")), LATER)
    assert len(await stores.conversations.messages("org-a", "conv-run-1", 10)) == 1


async def test_a_waiting_run_can_be_cancelled(stores) -> None:
    accepted = await stores.runs.accept(new_run())
    ended = await stores.runs.end(accepted.run, [], RunCancelled("user-1"), LATER)
    assert (ended.status, ended.started_at) == (RunStatus.CANCELLED, None)


async def test_an_ended_run_takes_nothing_more(stores) -> None:
    run = await begun(stores)
    await stores.runs.end(run, [], RunFinished("4"), LATER)
    for attempt in (
        stores.runs.append(run, [said("x")]),
        stores.runs.end(run, [], RunCancelled("user-1"), LATER),
        stores.runs.begin("org-a", "run-1", LATER),
    ):
        with pytest.raises(PreconditionFailed):
            await attempt
    assert (await stores.runs.get("org-a", "run-1")).last_sequence == 2


async def test_an_older_attempt_is_fenced_off(stores) -> None:
    old = await begun(stores)
    new = await stores.runs.begin("org-a", "run-1", LATER)
    with pytest.raises(PreconditionFailed, match="RUN_FENCED"):
        await stores.runs.append(old, [said("old")])
    with pytest.raises(PreconditionFailed, match="RUN_FENCED"):
        await stores.runs.end(old, [], RunFinished("old"), LATER)
    assert await stores.runs.append(new, [said("new")]) == 2


async def test_attempts_are_counted_and_crashes_told_from_orderly_stops(stores) -> None:
    first = await begun(stores)
    assert (first.attempt, first.crashes, first.started_at) == (1, 0, NOW)
    await stores.runs.release(first)
    second = await stores.runs.begin("org-a", "run-1", LATER)
    assert (second.attempt, second.crashes, second.started_at) == (2, 0, NOW)
    third = await stores.runs.begin("org-a", "run-1", LATER)
    assert (third.attempt, third.crashes) == (3, 1)


async def test_unfinished_runs_come_oldest_first(stores) -> None:
    for number, seconds in ((1, 20), (2, 10), (3, 30)):
        await stores.runs.accept(new_run(f"run-{number}", created_at=NOW + timedelta(seconds=seconds)))
    run = await stores.runs.begin("org-a", "run-3", NOW)
    await stores.runs.begin("org-a", "run-2", NOW)
    await stores.runs.end(run, [], RunFinished("x"), LATER)
    assert [run.run_id for run in await stores.runs.unfinished()] == ["run-2", "run-1"]


async def test_a_stranger_sees_nothing(stores) -> None:
    await stores.runs.accept(new_run())
    for org_id, run_id in (("org-b", "run-1"), ("org-a", "run-9")):
        with pytest.raises(NotFound):
            await stores.runs.get(org_id, run_id)
        with pytest.raises(NotFound):
            await stores.runs.begin(org_id, run_id, NOW)
        assert await stores.runs.events(org_id, run_id, 0, 10) == []
    assert (await stores.runs.page("org-b", page_request(0, ""))).rows == ()


async def test_long_texts_are_cut_in_lists_only(stores) -> None:
    await stores.runs.accept(new_run(question="\u00e9" * 5000))
    run = await stores.runs.begin("org-a", "run-1", NOW)
    await stores.runs.end(run, [], RunFinished("a" * 5000), LATER)
    (listed,) = (await stores.runs.page("org-a", page_request(0, ""))).rows
    assert (listed.question, listed.answer) == ("\u00e9" * 2000, "a" * 2000)
    assert len((await stores.runs.get("org-a", "run-1")).answer) == 5000


async def test_pages_are_newest_first_and_complete(stores) -> None:
    for number in range(5):
        at = NOW + timedelta(seconds=number // 2)
        await stores.runs.accept(new_run(f"run-{number}", created_at=at))
    seen, token = [], ""
    while True:
        page = await stores.runs.page("org-a", page_request(2, token))
        seen += [run.run_id for run in page.rows]
        token = page.next_token
        if not token:
            break
    assert seen == ["run-4", "run-3", "run-2", "run-1", "run-0"]
    only = await stores.runs.page("org-a", page_request(0, ""), "conv-run-3")
    assert [run.run_id for run in only.rows] == ["run-3"]
