from __future__ import annotations

import pytest
from router_answer_rig import CALLER
from router_decision_fakes import FakeTokenCounter
from router_fakes import FakeRegistry, service_of, snapshot_of

from provider_router.domain.calls.chat import ChatRequest, Message, Role
from provider_router.domain.calls.chat_call import ChatCall, RoutingOptions
from provider_router.use_cases.count_tokens import CountTokens
from shared.errors import InvalidInput, PreconditionFailed

HELLO = ChatRequest((Message(Role.USER, "Hello"),))


def call(request: ChatRequest = HELLO, **options: str) -> ChatCall:
    return ChatCall(CALLER, request, RoutingOptions(**options))


@pytest.mark.parametrize(
    ("asked", "counted"), [("", "two/m"), ("auto", "one/m"), ("two/", "two/m"), ("two/n", "two/n")]
)
def test_a_prompt_is_counted_as_the_service_counts_that_would_likely_answer(asked: str, counted: str) -> None:
    counter = FakeTokenCounter()
    services = [service_of(name) for name in ("one/m", "two/m", "two/n")]
    count = CountTokens(FakeRegistry(snapshot_of(*services, chain=["two/m"])), counter)
    assert count(call(model=asked)) == 5
    assert counter.asked_for == [counted]


def test_nobody_counts_where_nothing_chats() -> None:
    with pytest.raises(PreconditionFailed) as caught:
        CountTokens(FakeRegistry(snapshot_of()), FakeTokenCounter())(call())
    assert caught.value.reason == "NO_MODEL_CONFIGURED"


def test_what_no_model_could_answer_is_not_counted() -> None:
    with pytest.raises(InvalidInput):
        CountTokens(FakeRegistry(snapshot_of()), FakeTokenCounter())(call(ChatRequest((Message(Role.USER, ""),))))
