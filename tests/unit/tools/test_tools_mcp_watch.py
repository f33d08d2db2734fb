"""The watch over a connection: what it lets through, and what ends the connection."""

from __future__ import annotations

import pytest
from mcp.shared.message import SessionMessage
from mcp_types import JSONRPCNotification, JSONRPCRequest, JSONRPCResponse

from shared.testing.fakes import FakeClock
from tool_executor.adapters.mcp.limits import McpLimits
from tool_executor.adapters.mcp.watch import Watch

LIMITS = McpLimits(window_s=10, window_messages=50, window_requests=5, window_bytes=1_000)
ANSWER = SessionMessage(JSONRPCResponse(jsonrpc="2.0", id=1, result={}))
REQUEST = SessionMessage(JSONRPCRequest(jsonrpc="2.0", id=1, method="sampling/createMessage"))


def notification(method: str) -> SessionMessage:
    return SessionMessage(JSONRPCNotification(jsonrpc="2.0", method=f"notifications/{method}"))


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def watch(clock: FakeClock) -> Watch:
    return Watch(LIMITS, clock.monotonic)


def test_what_nobody_needs_is_let_go(watch: Watch) -> None:
    passed = ["progress", "cancelled", "subscriptions/acknowledged"]
    dropped = ["message", "resources/updated", "tools/list_changed", "whatever"]
    assert [watch.take(notification(each)) for each in (*passed, *dropped)] == [True] * 3 + [False] * 4
    assert (watch.take(ANSWER), watch.take(REQUEST), watch.take(ValueError())) == (True, True, False)


@pytest.mark.parametrize("kind", ["tools", "resources", "prompts"])
def test_changes_are_noticed(watch: Watch, kind: str) -> None:
    watch.take(notification(f"{kind}/list_changed"))
    assert (watch.has_changed, watch.news.is_set(), watch.why_ended) == (True, True, "")


@pytest.mark.parametrize(
    ("item", "most", "why"),
    [
        (ANSWER, 50, "it floods the connection with messages"),
        (notification("message"), 50, "it floods the connection with messages"),
        (REQUEST, 5, "it floods the connection with messages"),
        (ValueError(), 20, "it does not keep to the protocol"),
    ],
)
def test_too_many_messages_end_the_connection(
    watch: Watch, item: SessionMessage | Exception, most: int, why: str
) -> None:
    for _ in range(most):
        watch.take(item)
    assert watch.why_ended == ""
    watch.take(item)
    assert (watch.why_ended, watch.news.is_set()) == (why, True)


def test_as_many_over_a_longer_time_do_not(watch: Watch, clock: FakeClock) -> None:
    for _ in range(20):
        for _ in range(5):
            watch.take(REQUEST)
        watch.take_bytes(900)
        clock.advance(10.1)
    assert watch.why_ended == ""


def test_too_many_bytes_end_the_connection_and_the_first_reason_stays(watch: Watch) -> None:
    watch.take_bytes(1_000)
    assert watch.why_ended == ""
    watch.take_bytes(1)
    watch.end("later")
    assert watch.why_ended == "it sends too much"
