"""QueryAgent, StreamQuery and the alias, by the contract."""

from __future__ import annotations

import asyncio
import json

import grpc
import pytest
from orchestrator_fakes import OFFLINE, ROUTER_DOWN, asks, fails, hangs, other, says

from orchestrator.domain.agent_config import AgentConfig
from orchestrator.domain.chat import CacheHit, FinishReason
from orchestrator.domain.routing import CacheMode, DataClass, Routing
from orchestrator.domain.tools import ToolOutcome
from protos.gen.agent import agent_pb2 as alias_pb
from protos.gen.nexus.agent.v1 import agent_pb2 as pb
from protos.gen.nexus.router.v1 import contract_pb2, router_pb2
from shared.client import translated_errors
from shared.errors import (
    AlreadyExists,
    DeadlineExceeded,
    Forbidden,
    InvalidInput,
    NotFound,
    PreconditionFailed,
    QuotaExceeded,
    Unauthenticated,
    UpstreamDown,
)
from shared.testing.harness import principal


async def query(client, question: str = "Hi", **fields) -> pb.Run:
    async with translated_errors("orchestrator"):
        response = await client.agent.QueryAgent(pb.QueryAgentRequest(question=question, **fields), timeout=10)
    return response.run


async def stream(client, question: str = "Hi", **fields) -> list[pb.RunEvent]:
    request = pb.StreamQueryRequest(query=pb.QueryAgentRequest(question=question, **fields))
    async with translated_errors("orchestrator"):
        return [response.event async for response in client.agent.StreamQuery(request, timeout=10)]


def kinds(events: list[pb.RunEvent]) -> list[str]:
    return [event.WhichOneof("payload") for event in events]


async def test_a_question_is_answered(client, world) -> None:
    world.models.answers = [says("Hello", " there.")]
    run = await query(client, "Hi")
    assert (run.status, run.answer, run.model) == (pb.RUN_STATUS_COMPLETED, "Hello there.", "scripted/chat")
    assert (run.usage.model_calls, run.usage.input_tokens, run.usage.cost_micro_usd) == (1, 10, 7)
    assert run.user_id == "user-1"
    assert run.create_time.ToDatetime() <= run.start_time.ToDatetime() <= run.end_time.ToDatetime()


async def test_what_came_from_the_cache_or_has_no_price_is_said_with_the_call_and_counted_on_the_run(
    client, world
) -> None:
    hit = CacheHit(CacheMode.SEMANTIC, 12_300, 970_000)
    world.models.answers = [says("Hello.", cost_unknown=True, cache_hit=hit)]
    events = await stream(client)
    (reported,) = (event.usage_reported for event in events if event.WhichOneof("payload") == "usage_reported")
    expected = router_pb2.CacheHit(mode=router_pb2.CACHE_MODE_SEMANTIC, similarity_ppm=970_000)
    expected.age.FromMilliseconds(12_300)
    assert (reported.cost_unknown, reported.cache_hit) == (True, expected)
    async with translated_errors("orchestrator"):
        reply = await client.agent.GetRun(pb.GetRunRequest(run_id=events[0].run_id))
    assert (reply.run.usage.cost_unknown, reply.run.usage.cost_micro_usd) == (1, 7)


async def test_a_call_that_asked_a_model_of_known_price_says_neither(client, world) -> None:
    world.models.answers = [says("Hello.")]
    events = await stream(client)
    (reported,) = (event.usage_reported for event in events if event.WhichOneof("payload") == "usage_reported")
    assert (reported.cost_unknown, reported.HasField("cache_hit")) == (False, False)


async def test_a_stream_has_numbered_events_from_first_to_terminal(client, world) -> None:
    world.models.answers = [says("Hello", " there.")]
    events = await stream(client)
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert (kinds(events)[0], kinds(events)[-1]) == ("run_started", "run_finished")
    steps = [event.step_started.step for event in events if event.WhichOneof("payload") == "step_started"]
    assert steps == ["prepare", "model", "validate", "respond"]
    text = "".join(event.token_delta.text for event in events)
    assert text == events[-1].run_finished.answer == "Hello there."


async def test_two_tools_of_one_turn_run_at_the_same_time(client, world) -> None:
    world.models.answers = [
        asks(("a", "calculator", '{"expression":"2+2"}'), ("b", "get_current_time", "{}"), text="Let me see."),
        says("It is 4 o'clock."),
    ]
    meeting = asyncio.Barrier(2)

    async def meet(request) -> ToolOutcome:
        await asyncio.wait_for(meeting.wait(), 5)
        return ToolOutcome(ok=True, output_json="{}", summary=request.tool)

    world.tools.behaviour = {"calculator": meet, "get_current_time": meet}
    events = await stream(client)
    started = [e.tool_call_started.tool_call_id for e in events if e.HasField("tool_call_started")]
    assert sorted(started) == ["a", "b"]
    assert kinds(events).count("tool_call_finished") == 2
    assert events[-1].run_finished.answer == "Let me see.\n\nIt is 4 o'clock."
    assert "".join(event.token_delta.text for event in events) == events[-1].run_finished.answer
    told = [message for message in world.models.requests[1].messages if message.tool_call_id]
    assert [message.tool_call_id for message in told] == ["a", "b"]


async def test_the_same_request_id_gives_the_first_run(client) -> None:
    first = await query(client, "Hi", request_id="r")
    assert (await query(client, "Hi", request_id="r")) == first
    again = await stream(client, "Hi", request_id="r")
    assert {event.run_id for event in again} == {first.run_id}
    assert kinds(again)[-1] == "run_finished"
    with pytest.raises(AlreadyExists, match="REQUEST_ID_REUSED"):
        await query(client, "Something else", request_id="r")


async def test_runs_of_one_conversation_wait_for_each_other(client, world) -> None:
    world.models.answers = [says("one"), says("two"), says("three")]
    first = await query(client, "1")
    later = await asyncio.gather(*(query(client, text, conversation_id=first.conversation_id) for text in ("2", "3")))
    assert {run.answer for run in later} == {"two", "three"}
    history = [message.text for message in world.models.requests[2].messages[1:]]
    assert history[:2] == ["1", "one"]
    assert len(history) == 5


@pytest.mark.parametrize(
    ("fields", "error", "reason"),
    [
        ({"question": " \n"}, InvalidInput, "QUESTION_EMPTY"),
        ({"question": ""}, InvalidInput, None),
        ({"question": "x" * 1_048_577}, InvalidInput, None),
        ({"model": "no/such"}, InvalidInput, "MODEL_UNKNOWN"),
        ({"conversation_id": "nowhere"}, NotFound, "CONVERSATION_NOT_FOUND"),
        ({"limits": pb.RunLimits(max_steps=51)}, InvalidInput, None),
    ],
)
async def test_bad_questions_are_refused(client, world, fields, error, reason) -> None:
    with pytest.raises(error) as raised:
        await query(client, **{"question": "Hi", **fields})
    if reason:
        assert raised.value.reason == reason
    assert world.store.runs == {}


async def test_a_question_is_routed_as_its_caller_asks(client, world) -> None:
    routing = pb.RunRouting(
        tier="deep",
        data_class=contract_pb2.DATA_CLASS_RESTRICTED,
        residency=["eu"],
        max_cost_micro_usd=0,
        cache_mode=router_pb2.CACHE_MODE_EXACT,
    )
    await query(client, routing=routing, request_id="r")
    await query(client)
    asked, default = (request.routing for request in world.models.requests)
    assert asked == Routing("deep", DataClass.RESTRICTED, ("eu",), 0, CacheMode.EXACT)
    assert default == Routing()
    with pytest.raises(AlreadyExists, match="REQUEST_ID_REUSED"):
        await query(client, request_id="r")


async def test_a_runs_tools_are_those_of_the_channel_that_its_question_came_over(client, world) -> None:
    world.peers.closed_channels = frozenset({"mcp"})
    world.models.answers = [asks(("a", "calculator", "{}")), says("4")]
    await query(client, channel="mcp", request_id="r")
    # Nothing is offered there, and a model that names a tool all the same is narrowed by the tool executor.
    assert [request.tools for request in world.models.requests] == [(), ()]
    assert world.tools.requests[0].origin.channel == "mcp"
    world.models.answers = [asks(("a", "calculator", "{}")), says("4")]
    await query(client)
    assert world.models.requests[-1].tools
    assert world.tools.requests[1].origin.channel == ""
    with pytest.raises(AlreadyExists, match="REQUEST_ID_REUSED"):
        await query(client, request_id="r")
    with pytest.raises(InvalidInput):
        await query(client, channel="x" * 65)


async def test_planning_for_a_model_without_tool_calling_is_routed_so_too(client, world) -> None:
    world.peers.known_models = (OFFLINE,)
    routing = pb.RunRouting(data_class=contract_pb2.DATA_CLASS_RESTRICTED, residency=["eu"])
    await query(client, "Tell me about whales", routing=routing)
    # The tools' own texts are nobody's; the question is the caller's.
    assert world.embedder.routings[-1] == Routing("", DataClass.RESTRICTED, ("eu",))
    assert {request.routing.data_class for request in world.models.requests} == {DataClass.RESTRICTED}


@pytest.mark.parametrize(
    "routing",
    [
        pb.RunRouting(tier="x" * 65),
        pb.RunRouting(data_class=9),
        pb.RunRouting(residency=[""]),
        pb.RunRouting(max_cost_micro_usd=-1),
        pb.RunRouting(cache_mode=9),
    ],
)
async def test_wrong_routing_is_refused(client, world, routing) -> None:
    with pytest.raises(InvalidInput) as raised:
        await query(client, routing=routing)
    assert raised.value.violations[0].field.startswith("routing.")
    assert world.store.runs == {}


async def test_too_many_runs_are_refused(client, world, monkeypatch) -> None:
    def full() -> None:
        raise QuotaExceeded("TOO_MANY_RUNS", "Full.", retry_after_s=2.0)

    monkeypatch.setattr(world.runner, "check_room", full)
    with pytest.raises(QuotaExceeded, match="TOO_MANY_RUNS") as raised:
        await query(client)
    assert raised.value.retry_after_s == 2.0


async def test_settings_that_do_not_answer_are_an_error_and_leave_no_run(client, world) -> None:
    world.peers.settings_error = UpstreamDown("SETTINGS_UNREACHABLE", "Down.")
    with pytest.raises(UpstreamDown, match="SETTINGS_UNREACHABLE"):
        await query(client)
    assert world.store.runs == {}


async def test_strangers_are_kept_out(client_as) -> None:
    with pytest.raises(Unauthenticated):
        await query(client_as(None))
    with pytest.raises(Forbidden):
        await query(client_as(principal(permissions=("runs.read",))))


async def test_somebody_elses_conversation_is_not_there(client, client_as) -> None:
    mine = await query(client)
    with pytest.raises(NotFound, match="CONVERSATION_NOT_FOUND"):
        await query(client_as(other("org-a", "user-2")), conversation_id=mine.conversation_id)


async def test_a_deadline_leaves_the_run_going_and_names_it(client, world) -> None:
    world.models.answers = [hangs("Once")]
    call = client.agent.QueryAgent(pb.QueryAgentRequest(question="Hi"), timeout=0.4)
    with pytest.raises(DeadlineExceeded) as raised:
        async with translated_errors("orchestrator"):
            await call
    (run_id,) = world.store.runs
    named = raised.value.metadata.get("run_id") or dict(await call.initial_metadata())["nexus-run-id"]
    assert named == run_id
    run = (await client.agent.GetRun(pb.GetRunRequest(run_id=run_id), timeout=5)).run
    assert run.status == pb.RUN_STATUS_RUNNING


async def test_a_client_that_leaves_a_stream_does_not_stop_the_run(client, world) -> None:
    world.models.answers = [hangs("Once")]
    request = pb.StreamQueryRequest(query=pb.QueryAgentRequest(question="Hi"))
    call = client.agent.StreamQuery(request, timeout=10)
    async for response in call:
        if response.event.HasField("token_delta"):
            break
    call.cancel()
    await asyncio.sleep(0.05)
    assert world.models.open == 1


@pytest.mark.parametrize(
    ("answers", "limits", "reason", "answer"),
    [
        ([fails(ROUTER_DOWN, "Half")], {}, "PROVIDER_UNREACHABLE", "Half"),
        ([fails(ROUTER_DOWN)], {}, "PROVIDER_UNREACHABLE", ""),
        ([asks(("a", "calculator", "{}"))], {"max_steps": 2}, "LIMIT_STEPS", ""),
        ([asks(("a", "calculator", "{}"))], {"max_tool_calls": 1}, "LIMIT_TOOL_CALLS", ""),
        ([says()], {}, "EMPTY_ANSWER", ""),
        ([says("x", reason=FinishReason.CONTENT_FILTER)], {}, "CONTENT_FILTERED", "x"),
        ([fails(KeyError("a defect"), "Half")], {}, "INTERNAL", "Half"),
    ],
)
async def test_a_failed_run_is_data_with_a_reason(client, world, answers, limits, reason, answer) -> None:
    world.models.answers = answers
    run = await query(client, limits=pb.RunLimits(**limits))
    assert (run.status, run.failure.reason, run.answer) == (pb.RUN_STATUS_FAILED, reason, answer)
    assert run.failure.message
    assert "a defect" not in run.failure.message


async def test_a_run_that_takes_too_long_fails_and_keeps_what_it_had(client, world) -> None:
    world.models.answers = [hangs("Once upon")]
    world.peers.config = AgentConfig(timeout_s=0.2)
    run = await query(client)
    assert (run.failure.reason, run.answer) == ("TIMEOUT", "Once upon")
    assert world.models.open == 0


async def test_a_question_that_is_too_long_for_the_model_fails(client, world) -> None:
    world.peers.known_models = (OFFLINE,)
    run = await query(client, "long " * 5000)
    assert run.failure.reason == "CONTEXT_TOO_LONG"
    assert world.models.requests == []


async def test_the_demonstration_model_says_what_it_is(client, world) -> None:
    world.peers.known_models = (OFFLINE,)
    world.peers.known_tools = ()
    world.models.answers = [says("Hello.", model=OFFLINE)]
    events = await stream(client, "Hi")
    warnings = [event.warning for event in events if event.HasField("warning")]
    assert [warning.code for warning in warnings] == ["OFFLINE_MODEL"]
    answer = events[-1].run_finished.answer
    assert answer.startswith("Hello.\n\n(Answered by the small offline demonstration model")
    assert "".join(event.token_delta.text for event in events) == answer


async def test_the_alias_answers(client, world) -> None:
    world.models.answers = [asks(("a", "calculator", '{"expression":"2+2"}')), says("4")]
    request = alias_pb.QueryRequest(user_query="What is 2+2?", debug_mode=True)
    reply = await client.alias.QueryAgent(request, timeout=10)
    assert (reply.final_answer, list(reply.sources)) == ("4", ["calculator"])
    assert json.loads(reply.debug_info)["runId"] == reply.run_id
    plain = await client.alias.QueryAgent(alias_pb.QueryRequest(user_query="Hi"), timeout=10)
    assert plain.debug_info == ""


async def test_the_alias_turns_a_failed_run_into_an_error(client, world) -> None:
    world.models.answers = [fails(ROUTER_DOWN)]
    with pytest.raises(PreconditionFailed, match="PROVIDER_UNREACHABLE") as raised:
        async with translated_errors("orchestrator"):
            await client.alias.QueryAgent(alias_pb.QueryRequest(user_query="Hi"), timeout=10)
    assert raised.value.metadata["run_id"] in world.store.runs


async def test_the_alias_keeps_strangers_and_blank_questions_out(client, client_as) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await client_as(None).alias.QueryAgent(alias_pb.QueryRequest(user_query="Hi"), timeout=10)
    assert raised.value.code() == grpc.StatusCode.UNAUTHENTICATED
    with pytest.raises(InvalidInput):
        async with translated_errors("orchestrator"):
            await client.alias.QueryAgent(alias_pb.QueryRequest(user_query=" "), timeout=10)
