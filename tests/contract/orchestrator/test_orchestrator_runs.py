"""GetRun, ListRuns, WatchRun and CancelRun, by the contract."""

from __future__ import annotations

import asyncio

import pytest
from orchestrator_fakes import asks, hangs, other, says

from orchestrator.domain.tools import ToolOutcome
from protos.gen.nexus.agent.v1 import agent_pb2 as pb
from shared.client import translated_errors
from shared.errors import Forbidden, InvalidInput, NotFound, Unauthenticated
from shared.testing.harness import principal


async def asked(client, **fields) -> pb.Run:
    request = pb.QueryAgentRequest(**{"question": "Hi", **fields})
    return (await client.agent.QueryAgent(request, timeout=10)).run


async def begun(client, **fields) -> str:
    """Ask a question whose answer hangs; return the run's id once it has said something."""
    request = pb.StreamQueryRequest(query=pb.QueryAgentRequest(**{"question": "Hi", **fields}))
    call = client.agent.StreamQuery(request, timeout=10)
    async for response in call:
        if response.event.HasField("token_delta") or response.event.HasField("tool_call_started"):
            call.cancel()
            return response.event.run_id
    raise AssertionError("nothing was said")


async def get(client, run_id: str) -> pb.Run:
    async with translated_errors("orchestrator"):
        return (await client.agent.GetRun(pb.GetRunRequest(run_id=run_id), timeout=5)).run


async def cancel(client, run_id: str) -> pb.Run:
    async with translated_errors("orchestrator"):
        return (await client.agent.CancelRun(pb.CancelRunRequest(run_id=run_id), timeout=5)).run


async def watch(client, run_id: str, after: int = 0) -> list[pb.RunEvent]:
    request = pb.WatchRunRequest(run_id=run_id, after_sequence=after)
    async with translated_errors("orchestrator"):
        return [response.event async for response in client.agent.WatchRun(request, timeout=5)]


async def test_a_run_can_be_read_by_its_organisation_only(client, client_as) -> None:
    run = await asked(client)
    assert await get(client, run.run_id) == run
    assert await get(client_as(other("org-a", "user-2")), run.run_id) == run
    for call in (get, cancel, watch):
        with pytest.raises(NotFound, match="RUN_NOT_FOUND"):
            await call(client_as(other()), run.run_id)
        with pytest.raises(NotFound, match="RUN_NOT_FOUND"):
            await call(client, "no-such-run")
        with pytest.raises(Unauthenticated):
            await call(client_as(None), run.run_id)
        with pytest.raises(Forbidden):
            await call(client_as(principal(permissions=("models.use",))), run.run_id)
        with pytest.raises(InvalidInput):
            await call(client, "")


async def test_tool_calls_are_summed_up_on_the_run(client, world) -> None:
    world.models.answers = [asks(("a", "calculator", "```json\n{}\n```"), ("b", "nothing", "no json")), says("4")]
    run = await asked(client)
    assert sorted((c.tool_call_id, c.tool, c.ok) for c in run.tool_calls) == [
        ("a", "calculator", True),
        ("b", "nothing", False),
    ]
    assert run.usage.tool_calls == 2
    assert len(world.tools.requests) == 1
    assert world.tools.requests[0].request_id == f"{run.run_id}:1:a"


async def test_runs_are_listed_newest_first_in_pages(client, client_as) -> None:
    runs = [await asked(client) for _ in range(3)]
    first = await client.agent.ListRuns(pb.ListRunsRequest(page_size=2), timeout=5)
    rest = await client.agent.ListRuns(pb.ListRunsRequest(page_token=first.next_page_token), timeout=5)
    listed = [run.run_id for run in (*first.runs, *rest.runs)]
    assert listed == [run.run_id for run in reversed(runs)]
    assert rest.next_page_token == ""
    one = pb.ListRunsRequest(conversation_id=runs[1].conversation_id)
    assert [run.run_id for run in (await client.agent.ListRuns(one, timeout=5)).runs] == [runs[1].run_id]
    assert not (await client_as(other()).agent.ListRuns(pb.ListRunsRequest(), timeout=5)).runs


@pytest.mark.parametrize(
    ("request_", "reason"),
    [(pb.ListRunsRequest(page_token="!"), "PAGE_TOKEN_INVALID"), (pb.ListRunsRequest(page_size=201), None)],
)
async def test_bad_pages_are_refused(client, request_, reason) -> None:
    with pytest.raises(InvalidInput) as raised:
        async with translated_errors("orchestrator"):
            await client.agent.ListRuns(request_, timeout=5)
    if reason:
        assert raised.value.reason == reason


async def test_a_watch_goes_on_behind_the_last_event_seen(client) -> None:
    run = await asked(client)
    events = await watch(client, run.run_id)
    assert [event.sequence for event in events] == list(range(1, run.last_sequence + 1))
    for seen in (1, run.last_sequence - 1):
        assert await watch(client, run.run_id, seen) == events[seen:]
    assert await watch(client, run.run_id, run.last_sequence) == []
    assert await watch(client, run.run_id, 10_000) == []


async def test_a_live_watch_gets_every_event_once(client, world) -> None:
    go = asyncio.Event()

    async def slow(_) -> ToolOutcome:
        await go.wait()
        return ToolOutcome(ok=True, output_json="{}", summary="done")

    world.tools.behaviour["calculator"] = slow
    world.models.answers = [asks(("a", "calculator", "{}")), says(*("word " for _ in range(500)))]
    run_id = await begun(client)
    watching = [asyncio.create_task(watch(client, run_id, after)) for after in (0, 2)]
    await asyncio.sleep(0.05)
    go.set()
    everything, later = await asyncio.gather(*watching)
    assert [event.sequence for event in everything] == list(range(1, len(everything) + 1))
    assert everything[2:] == later
    assert everything[-1].run_finished.answer == ("word " * 500)


async def test_cancelling_stops_at_once_and_keeps_the_partial_answer(client, world) -> None:
    world.models.answers = [hangs("Once upon")]
    run_id = await begun(client)
    run = await cancel(client, run_id)
    assert (run.status, run.answer) == (pb.RUN_STATUS_CANCELLED, "Once upon")
    assert world.models.open == 0
    events = await watch(client, run_id)
    assert events[-1].run_cancelled.user_id == "user-1"
    assert await cancel(client, run_id) == run


async def test_cancelling_stops_tools_too(client, world) -> None:
    stopped = asyncio.Event()

    async def endless(_) -> ToolOutcome:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()
        raise AssertionError

    world.tools.behaviour["calculator"] = endless
    world.models.answers = [asks(("a", "calculator", "{}"))]
    run = await cancel(client, await begun(client))
    assert run.status == pb.RUN_STATUS_CANCELLED
    assert stopped.is_set()


async def test_a_run_that_waits_in_line_can_be_cancelled(client, world) -> None:
    world.models.answers = [hangs("Once"), says("second")]
    first = await get(client, await begun(client))
    request = pb.QueryAgentRequest(question="Then?", conversation_id=first.conversation_id)
    second = client.agent.QueryAgent(request, timeout=5)
    while len(world.store.runs) < 2:
        await asyncio.sleep(0.01)
    (waiting,) = set(world.store.runs) - {first.run_id}
    assert (await cancel(client, waiting)).status == pb.RUN_STATUS_CANCELLED
    assert (await second).run.status == pb.RUN_STATUS_CANCELLED
    assert (await get(client, first.run_id)).status == pb.RUN_STATUS_RUNNING


async def test_cancelling_an_ended_run_changes_nothing(client) -> None:
    run = await asked(client)
    assert await cancel(client, run.run_id) == run


async def test_a_cancelled_run_makes_room_for_the_next_of_its_conversation(client, world) -> None:
    world.models.answers = [hangs("Once"), says("second")]
    first = await get(client, await begun(client))
    following = asyncio.create_task(asked(client, question="Then?", conversation_id=first.conversation_id))
    await cancel(client, first.run_id)
    assert (await following).answer == "second"
