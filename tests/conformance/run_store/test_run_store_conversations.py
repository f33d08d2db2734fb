"""What every conversation store does."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from orchestrator_fakes import new_run

from orchestrator.domain.conversation import NewConversation, Speaker
from orchestrator.domain.events import NewEvent, RunFinished, ToolCallFinished
from orchestrator.domain.pages import page_request
from orchestrator.domain.routing import DataClass, Routing
from shared.errors import AlreadyExists, InvalidInput, NotFound, PreconditionFailed
from shared.testing.fakes import FakeClock

NOW = FakeClock().now()
STRANGERS = [("org-b", "user-1"), ("org-a", "user-2")]


def new_conversation(conversation_id: str = "c-1", **changes) -> NewConversation:
    values = {"title": "Plans", "request_id": f"r-{conversation_id}", "created_at": NOW}
    return NewConversation(conversation_id, "org-a", "user-1", **(values | changes))


async def asked(stores, run_id: str, question: str, conversation_id: str = "c-1"):
    new = new_run(run_id, question=question, conversation_id=conversation_id)
    return (await stores.runs.accept(new)).run


async def answered(stores, run, answer: str) -> None:
    begun = await stores.runs.begin("org-a", run.run_id, NOW)
    await stores.runs.end(begun, [], RunFinished(answer), NOW + timedelta(seconds=9))


async def test_creating_is_idempotent_by_request(stores) -> None:
    first = await stores.conversations.create(new_conversation("c-1", request_id="r"))
    again = await stores.conversations.create(new_conversation("c-2", request_id="r"))
    assert again == first
    with pytest.raises(AlreadyExists, match="REQUEST_ID_REUSED"):
        await stores.conversations.create(new_conversation("c-3", request_id="r", title="Other"))
    assert await stores.conversations.get("org-a", "user-1", "c-1") == first


@pytest.mark.parametrize(("org_id", "user_id"), STRANGERS)
async def test_a_stranger_sees_nothing(stores, org_id, user_id) -> None:
    await stores.conversations.create(new_conversation())
    with pytest.raises(NotFound, match="CONVERSATION_NOT_FOUND"):
        await stores.conversations.get(org_id, user_id, "c-1")
    with pytest.raises(NotFound, match="CONVERSATION_NOT_FOUND"):
        await stores.conversations.delete(org_id, user_id, "c-1", "r")
    assert (await stores.conversations.page(org_id, user_id, page_request(0, ""))).rows == ()


async def test_pages_are_newest_first(stores) -> None:
    for number in range(3):
        await stores.conversations.create(new_conversation(f"c-{number}", created_at=NOW + timedelta(seconds=number)))
    first = await stores.conversations.page("org-a", "user-1", page_request(2, ""))
    rest = await stores.conversations.page("org-a", "user-1", page_request(2, first.next_token))
    assert [row.conversation_id for row in (*first.rows, *rest.rows)] == ["c-2", "c-1", "c-0"]
    assert rest.next_token == ""


async def test_an_untitled_conversation_is_named_by_its_first_question(stores) -> None:
    await stores.conversations.create(new_conversation(title=""))
    await asked(stores, "run-1", "What is on my calendar?")
    await asked(stores, "run-2", "And then?")
    assert (await stores.conversations.get("org-a", "user-1", "c-1")).title == "What is on my calendar?"


async def test_question_and_answer_stay_together_when_runs_wait_in_line(stores) -> None:
    await stores.conversations.create(new_conversation())
    runs = [await asked(stores, f"run-{n}", f"q{n}") for n in range(3)]
    await answered(stores, runs[0], "a0")
    await answered(stores, runs[1], "a1")
    messages = await stores.conversations.messages("org-a", "c-1", 100)
    assert [message.text for message in messages] == ["q0", "a0", "q1", "a1", "q2"]
    assert [message.speaker for message in messages[:2]] == [Speaker.USER, Speaker.ASSISTANT]
    assert [m.text for m in await stores.conversations.messages("org-a", "c-1", 2)] == ["a1", "q2"]


async def test_messages_that_are_read_at_once_are_bounded(stores) -> None:
    await stores.conversations.create(new_conversation())
    runs = [await asked(stores, f"run-{n}", f"{n}" + "x" * 400_000) for n in range(5)]
    newest = await stores.conversations.messages("org-a", "c-1", 100)
    assert [message.text[0] for message in newest] == ["2", "3", "4"]
    assert [m.text[0] for m in await stores.conversations.history(runs[4], 100)] == ["1", "2", "3"]


async def test_the_history_of_a_run_ends_before_its_question(stores) -> None:
    await stores.conversations.create(new_conversation())
    runs = [await asked(stores, f"run-{n}", f"q{n}") for n in range(3)]
    await answered(stores, runs[0], "a0")
    assert await stores.conversations.history(runs[0], 10) == []
    assert [m.text for m in await stores.conversations.history(runs[1], 10)] == ["q0", "a0"]
    assert [m.text for m in await stores.conversations.history(runs[2], 2)] == ["a0", "q1"]


async def test_an_answer_marks_the_conversation_as_changed(stores) -> None:
    await stores.conversations.create(new_conversation())
    await answered(stores, await asked(stores, "run-1", "q"), "a")
    found = await stores.conversations.get("org-a", "user-1", "c-1")
    assert (found.created_at, found.updated_at) == (NOW, NOW + timedelta(seconds=9))


async def test_deleting_takes_everything_along_and_nothing_else(stores) -> None:
    await stores.conversations.create(new_conversation("c-1"))
    await stores.conversations.create(new_conversation("c-2"))
    run, kept = await asked(stores, "run-1", "q", "c-1"), await asked(stores, "run-2", "q", "c-2")
    await answered(stores, run, "a")
    await answered(stores, kept, "a")
    assert await stores.conversations.delete("org-a", "user-1", "c-1", "r") == ["run-1"]
    with pytest.raises(NotFound):
        await stores.runs.get("org-a", "run-1")
    assert await stores.runs.events("org-a", "run-1", 0, 10) == []
    assert await stores.conversations.messages("org-a", "c-1", 10) == []
    assert len(await stores.conversations.messages("org-a", "c-2", 10)) == 2
    assert await stores.conversations.delete("org-a", "user-1", "c-1", "r") == []
    with pytest.raises(NotFound):
        await stores.conversations.delete("org-a", "user-1", "c-1", "other")


async def test_deleting_is_refused_while_a_run_is_not_ended(stores) -> None:
    await stores.conversations.create(new_conversation())
    run = await asked(stores, "run-1", "q")
    with pytest.raises(PreconditionFailed, match="CONVERSATION_BUSY"):
        await stores.conversations.delete("org-a", "user-1", "c-1", "r")
    await answered(stores, run, "a")
    assert await stores.conversations.delete("org-a", "user-1", "c-1", "r") == ["run-1"]


async def test_a_run_is_routed_as_its_conversation_is(stores) -> None:
    await stores.conversations.create(new_conversation())

    async def accepted(run_id: str, routing: Routing) -> Routing:
        new = replace(new_run(run_id, conversation_id="c-1"), routing=routing)
        stored = (await stores.runs.accept(new)).run.routing
        assert (await stores.runs.get("org-a", run_id)).routing == stored
        return stored

    eu = Routing(data_class=DataClass.RESTRICTED, residency=("eu",))
    assert await accepted("1", Routing(tier="deep")) == Routing(tier="deep")
    assert await accepted("2", eu) == eu
    assert await accepted("3", Routing(data_class=DataClass.PUBLIC)) == eu
    with pytest.raises(InvalidInput, match="RESIDENCY_CONFLICT"):
        await accepted("4", Routing(residency=("us",)))
    with pytest.raises(NotFound):
        await stores.runs.get("org-a", "4")
    # A refused question changes nothing: the conversation goes on.
    assert await accepted("5", Routing()) == eu
    found = await stores.conversations.routings("org-a", "c-1")
    assert len(found) == len({Routing(tier="deep"), eu})
    assert set(found) == {Routing(tier="deep"), eu}
    assert await stores.conversations.routings("org-b", "c-1") == []


async def test_the_tools_that_a_conversation_used_are_known_each_once_and_to_it_alone(stores) -> None:
    await stores.conversations.create(new_conversation())
    for number, tools in enumerate((["b", "a"], ["b"])):
        run = await asked(stores, f"run-{number}", "Use them.")
        begun = await stores.runs.begin("org-a", run.run_id, NOW)
        ended = [
            ToolCallFinished(f"c{place}", tool, '{"tool": "c"}', ok=True, output_json="{}", summary="s", duration_ms=1)
            for place, tool in enumerate(tools)
        ]
        await stores.runs.end(begun, [NewEvent(NOW, each) for each in ended], RunFinished("Done."), NOW)
    last = await asked(stores, "run-9", "Again.")
    assert list(await stores.conversations.tools_used(last)) == ["a", "b"]
    await stores.conversations.create(new_conversation("c-2"))
    other = await asked(stores, "run-10", "Else?", conversation_id="c-2")
    assert list(await stores.conversations.tools_used(other)) == []
