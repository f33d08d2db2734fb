"""Another model goes on where one broke off."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from router_answer_rig import PRICES, Rig
from router_fakes import QUESTION, FakeChatModel, service_of

from provider_router.domain.calls.chat import ChatRequest, FinishReason, Message, Role
from provider_router.domain.calls.chat_call import OnBreak
from provider_router.domain.calls.continuation import OverlapTrimmer
from provider_router.domain.calls.events import Completed, Continued, Finished, Started, TextDelta, ToolCallDelta
from provider_router.domain.calls.usage import TokenUsage
from provider_router.domain.errors import Reason, failure
from shared.errors import UpstreamDown

BROKEN = failure(Reason.PROVIDER_ERROR, "It broke.")
DONE = Finished(FinishReason.STOP, TokenUsage(20, 5))
FIRST = (TextDelta("The quick brown fox "), TextDelta("jumps over the"), BROKEN)
CONTINUE = {"on_break": OnBreak.CONTINUE}


def text_of(events: list) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


async def test_another_model_goes_on_and_is_named() -> None:
    second = FakeChatModel([TextDelta(" lazy dog."), DONE])
    rig = Rig({"one/m": FakeChatModel(FIRST), "two/m": second})
    events = await rig.events(**CONTINUE)
    assert text_of(events) == "The quick brown fox jumps over the lazy dog."
    assert isinstance(events[0], Started)
    continued = next(event for event in events if isinstance(event, Continued))
    assert continued.model == "two/m"
    assert [(a.model, a.reason) for a in continued.attempts] == [("one/m", "PROVIDER_ERROR")]
    assert second.asked[0].messages == (
        *QUESTION.messages,
        Message(Role.ASSISTANT, "The quick brown fox jumps over the"),
        Message(Role.USER, "Go on."),
    )
    assert rig.outcomes() == [("one/m", "failed", "PROVIDER_ERROR"), ("two/m", "succeeded", "")]
    # One prompt token and seven words of the first; twenty and five of the second.
    assert events[-1] == Completed(FinishReason.STOP, TokenUsage(21, 12), rig.cost_micro_usd())
    assert rig.cost_micro_usd() == 1 + 14 + 20 + 10


async def test_a_service_that_takes_a_prefill_goes_on_by_itself() -> None:
    second = FakeChatModel([TextDelta(" lazy dog."), DONE])
    prefill = service_of("two/m", prices=PRICES, traits={"assistant_prefill": True})
    first = FakeChatModel([TextDelta("jumps over the "), BROKEN])
    rig = Rig({"one/m": first, "two/m": second}, prefill)
    events = await rig.events(**CONTINUE)
    assert second.asked[0].messages == (*QUESTION.messages, Message(Role.ASSISTANT, "jumps over the"))
    assert text_of(events) == "jumps over the lazy dog."


async def test_what_was_said_is_not_said_again() -> None:
    repeating = FakeChatModel([TextDelta("brown fox jumps"), TextDelta(" over the lazy"), TextDelta(" dog."), DONE])
    rig = Rig({"one/m": FakeChatModel(FIRST), "two/m": repeating})
    assert text_of(await rig.events(**CONTINUE)) == "The quick brown fox jumps over the lazy dog."


@pytest.mark.parametrize("said", [(TextDelta("jumps over"), TextDelta(" the")), ()], ids=["repeats", "nothing"])
async def test_one_that_adds_nothing_makes_no_whole_answer(said: tuple[TextDelta, ...]) -> None:
    """Nobody knows whether what came before was whole."""
    rig = Rig({"one/m": FakeChatModel(FIRST), "two/m": FakeChatModel([*said, DONE])})
    with pytest.raises(UpstreamDown, match="STREAM_BROKEN") as caught:
        await rig.events(**CONTINUE)
    assert caught.value.metadata["not_continued"] == "NOTHING_ADDED"


async def test_it_may_break_more_than_once() -> None:
    models = {
        "one/m": FakeChatModel([TextDelta("one "), BROKEN]),
        "two/m": FakeChatModel([TextDelta("two "), BROKEN]),
        "three/m": FakeChatModel([TextDelta("three"), DONE]),
    }
    rig = Rig(models)
    events = await rig.events(**CONTINUE)
    assert text_of(events) == "one two three"
    assert [event.model for event in events if isinstance(event, Continued)] == ["two/m", "three/m"]


async def test_the_same_service_goes_on_where_there_is_no_other() -> None:
    models = {"one/m": [FakeChatModel(FIRST), FakeChatModel([TextDelta(" lazy dog."), DONE])]}
    events = await Rig(models).events(**CONTINUE)
    assert text_of(events).endswith("over the lazy dog.")


async def test_what_fails_before_it_goes_on_is_told() -> None:
    models = {
        "one/m": FakeChatModel(FIRST),
        "two/m": FakeChatModel([failure(Reason.PROVIDER_UNREACHABLE, "x")]),
        "three/m": FakeChatModel([TextDelta("!"), DONE]),
    }
    events = await Rig(models, tries=1).events(**CONTINUE)
    continued = next(event for event in events if isinstance(event, Continued))
    assert [(a.model, a.reason) for a in continued.attempts] == [
        ("one/m", "PROVIDER_ERROR"),
        ("two/m", "PROVIDER_UNREACHABLE"),
    ]


@pytest.mark.parametrize(
    ("events", "request_", "why"),
    [
        ([TextDelta("x"), ToolCallDelta(0, "a", "add", '{"x"'), BROKEN], QUESTION, "TOOL_CALL"),
        (FIRST, ChatRequest(QUESTION.messages, response_schema={}), "JSON_SCHEMA"),
    ],
)
async def test_what_cannot_be_continued_breaks_and_says_why(events: list, request_: ChatRequest, why: str) -> None:
    second = FakeChatModel()
    rig = Rig({"one/m": FakeChatModel(events), "two/m": second})
    with pytest.raises(UpstreamDown) as caught:
        await rig.events(request_, **CONTINUE)
    assert caught.value.reason == "STREAM_BROKEN"
    assert caught.value.metadata["not_continued"] == why
    assert second.asked == []


async def test_without_another_model_it_breaks() -> None:
    rig = Rig({"one/m": FakeChatModel(FIRST)}, tries=1)
    with pytest.raises(UpstreamDown) as caught:
        await rig.events(**CONTINUE)
    assert caught.value.metadata == {
        "model": "one/m",
        "cause": "PROVIDER_ERROR",
        "not_continued": "NO_MODEL_LEFT",
        "decision_id": "decision-1",
    }


async def test_where_no_other_model_can_go_on_it_breaks_with_the_first_cause() -> None:
    down = FakeChatModel([failure(Reason.PROVIDER_UNREACHABLE, "x")])
    rig = Rig({"one/m": FakeChatModel(FIRST), "two/m": down}, tries=1)
    with pytest.raises(UpstreamDown) as caught:
        await rig.events(**CONTINUE)
    assert caught.value.reason == "STREAM_BROKEN"
    assert caught.value.metadata["cause"] == "PROVIDER_ERROR"
    assert rig.nothing_is_held()


async def test_the_callers_limit_holds_over_both() -> None:
    second = FakeChatModel([TextDelta("x"), DONE])
    rig = Rig({"one/m": FakeChatModel(FIRST), "two/m": second})
    await rig.events(ChatRequest(QUESTION.messages, max_output_tokens=10), **CONTINUE)
    assert second.asked[0].max_output_tokens == 3


def joined(so_far: str, *pieces: str) -> str:
    trimmer = OverlapTrimmer(so_far)
    return "".join([*(trimmer.add(piece) for piece in pieces), trimmer.end()])


@pytest.mark.parametrize(
    ("so_far", "pieces", "new"),
    [
        ("Hel", ("lo",), "lo"),  # an accident
        ("Hello wor", ("Hello wor", "ld"), "ld"),  # all of it
        ("Hello wor", ("Hello", " world"), "ld"),
        ("a\n--------", ("--------\nb",), "--------\nb"),  # nothing but dashes
        ("x" * 9000, ("y",), "y"),
        ("", ("Hello",), "Hello"),
        ("the cat and the dog and the", (" cat",), " cat"),
    ],
)
def test_overlaps(so_far: str, pieces: tuple[str, ...], new: str) -> None:
    assert joined(so_far, *pieces) == new


@given(st.text(max_size=60), st.lists(st.text(max_size=20), max_size=6))
def test_nothing_but_a_repetition_is_taken_away(so_far: str, pieces: list[str]) -> None:
    new, said = joined(so_far, *pieces), "".join(pieces)
    assert said.endswith(new)
    assert so_far.endswith(said[: len(said) - len(new)])


@given(st.text(min_size=20, max_size=200, alphabet="abcdefgh "), st.data())
def test_a_repeated_end_is_taken_away(so_far: str, data: st.DataObject) -> None:
    length = data.draw(st.integers(12, len(so_far)))
    repeated = so_far[-length:]
    if len(set(repeated)) < 4:
        return
    cut = data.draw(st.integers(0, length))
    assert joined(so_far, repeated[:cut], repeated[cut:] + "#END") == "#END"
