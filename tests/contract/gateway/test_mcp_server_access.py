"""Who may come in at the MCP endpoint, and how much of it one caller gets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from typing import Any

import httpx2
import pytest
from mcp_gateway_rig import INITIALIZE, INITIALIZED, OTHER, OWNER, VERSION, McpGateway, begun, mcp_gateway

PING = {"jsonrpc": "2.0", "id": 7, "method": "ping"}


@pytest.fixture
async def gate() -> AsyncGenerator[McpGateway, None]:
    async with mcp_gateway() as running:
        yield running


def reason_of(reply: httpx2.Response) -> str:
    return reply.json()["error"]["data"]["reason"]


async def status_of(http: httpx2.AsyncClient, url: str, headers: dict[str, str]) -> int:
    return (await http.post(url, json=PING, headers=headers)).status_code


@pytest.mark.parametrize(
    ("authorization", "challenge"),
    [
        (None, 'Bearer realm="nexus"'),
        ("Bearer nxk_nobody", 'Bearer realm="nexus", error="invalid_token"'),
        # What services prove themselves by to each other is no key.
        ("Bearer eyJhbGciOiJIUzI1NiJ9.e30.x", 'Bearer realm="nexus"'),
        ("Basic dXNlcjpwYXNz", 'Bearer realm="nexus"'),
    ],
)
async def test_a_caller_without_a_key_is_challenged(
    gate: McpGateway, authorization: str | None, challenge: str
) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    async with httpx2.AsyncClient(headers=headers) as http:
        replies = [await http.post(gate.url, json=INITIALIZE), await http.get(gate.url), await http.delete(gate.url)]
    assert [reply.status_code for reply in replies] == [401] * 3
    assert {reply.headers["www-authenticate"] for reply in replies} == {challenge}


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({"Origin": "http://evil.example"}, "ORIGIN_FORBIDDEN"),
        ({"Origin": "null"}, "ORIGIN_FORBIDDEN"),
        ({"Origin": "http://localhost.evil.example"}, "ORIGIN_FORBIDDEN"),
        ({"Host": "rebound.example:8056"}, "HOST_FORBIDDEN"),
    ],
)
async def test_somebody_elses_page_may_not_call(gate: McpGateway, headers: dict[str, str], reason: str) -> None:
    async with gate.raw() as http:
        reply = await http.post(gate.url, json=INITIALIZE, headers=headers)
    assert (reply.status_code, reason_of(reply)) == (403, reason)


async def test_the_operator_says_what_else_the_server_is_called_and_whose_pages_may_call() -> None:
    allowed = {"allowed_hosts": ["nexus.example"], "allowed_origins": ["https://app.example"]}
    async with mcp_gateway(**allowed) as gate, gate.raw() as http:
        for headers in (
            {"Host": "nexus.example:443", "Origin": "https://app.example"},
            {"Origin": "http://localhost:6274"},
        ):
            assert (await http.post(gate.url, json=INITIALIZE, headers=headers)).status_code == 200


async def test_only_what_is_served_is_answered(gate: McpGateway) -> None:
    async with gate.raw() as http, httpx2.AsyncClient() as stranger:
        put = await http.put(gate.url, json=PING)
        assert (put.status_code, put.headers["allow"], reason_of(put)) == (
            405,
            "POST, GET, DELETE",
            "METHOD_NOT_ALLOWED",
        )
        assert (await http.post(f"{gate.url}/x", json=PING)).status_code == 404
        health = await stranger.get(gate.url.replace("/mcp", "/healthz"))
        assert (health.status_code, health.json()) == (200, {"status": "ok"})


async def test_bodies_are_bounded_in_bytes_and_in_values(gate: McpGateway) -> None:
    async with gate.raw() as http:
        large = await http.post(gate.url, content=b" " * (2048 * 1024 + 1))
        assert (large.status_code, reason_of(large)) == (413, "BODY_TOO_LARGE")
        many = await http.post(gate.url, content=b"[" + b"[]," * 60_000 + b"[]]")
        assert (many.status_code, reason_of(many)) == (400, "TOO_MANY_VALUES")
        headers = await begun(http, gate.url)
        # Marks inside of a text are no values.
        text = {"name": "echo", "arguments": {"text": '[,"\\' * 40_000}}
        call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": text}
        assert (await http.post(gate.url, json=call, headers=headers)).status_code == 200
    assert json.loads(gate.tools.calls[0].arguments_json) == text["arguments"]


async def test_a_session_is_of_no_use_to_another_key(gate: McpGateway) -> None:
    async with gate.raw() as http, gate.raw(OTHER) as thief:
        headers = await begun(http, gate.url)
        stolen = await thief.post(gate.url, json=PING, headers=headers)
        unknown = await thief.post(gate.url, json=PING, headers=headers | {"mcp-session-id": "0" * 32})
        assert (stolen.status_code, stolen.json()) == (unknown.status_code, unknown.json()) == (404, unknown.json())
        assert (await thief.get(gate.url, headers=headers)).status_code == 404
        assert (await thief.delete(gate.url, headers=headers)).status_code == 404
        assert await status_of(http, gate.url, headers) == 200


async def test_a_session_stands_though_its_client_leaves_with_the_answer(gate: McpGateway) -> None:
    async with gate.raw() as http, gate.raw() as again:
        async with http.stream("POST", gate.url, json=INITIALIZE) as reply:
            async for line in reply.aiter_lines():
                if line.startswith("data:"):
                    break
        headers = {"mcp-session-id": reply.headers["mcp-session-id"], "mcp-protocol-version": VERSION}
        assert (await again.post(gate.url, json=INITIALIZED, headers=headers)).status_code == 202
        assert await status_of(again, gate.url, headers) == 200


async def test_a_session_ends_when_its_client_says_so(gate: McpGateway) -> None:
    async with gate.raw() as http:
        headers = await begun(http, gate.url)
        assert (await http.delete(gate.url, headers=headers)).status_code == 200
        assert await status_of(http, gate.url, headers) == 404


async def test_a_request_of_no_session_begins_none(gate: McpGateway) -> None:
    async with gate.raw() as http:
        reply = await http.post(gate.url, json=PING)
        assert reply.status_code == 400
        assert await status_of(http, gate.url, {"mcp-session-id": reply.headers["mcp-session-id"]}) == 404


async def test_an_unused_session_ends() -> None:
    async with mcp_gateway(session_idle_s=0.05) as gate, gate.raw() as http:
        headers = await begun(http, gate.url)
        async with asyncio.timeout(5):
            # Asked more seldom than that, or the question would keep it.
            while await status_of(http, gate.url, headers) != 404:
                await asyncio.sleep(0.06)


async def test_the_idlest_session_of_a_key_makes_room() -> None:
    async with mcp_gateway(sessions_per_key=2) as gate, gate.raw() as http, gate.raw(OTHER) as other:
        theirs = await begun(other, gate.url)
        first, second = await begun(http, gate.url), await begun(http, gate.url)
        assert await status_of(http, gate.url, first) == 200
        third = await begun(http, gate.url)
        found = [await status_of(http, gate.url, headers) for headers in (first, second, third)]
        assert found == [200, 404, 200]
        assert await status_of(other, gate.url, theirs) == 200


async def test_a_session_with_a_call_under_way_makes_room_for_none() -> None:
    params = {"name": "echo", "arguments": {"text": "hang"}}
    hang = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    async with mcp_gateway(sessions_per_key=1) as gate, gate.raw() as http:
        listening = await begun(http, gate.url)
        async with http.stream("GET", gate.url, headers=listening) as stream:
            headers = await begun(http, gate.url)
            # Who only listened made room, and knows it.
            assert await stream.aread() == b""
        async with http.stream("POST", gate.url, json=hang, headers=headers):
            await asyncio.wait_for(gate.tools.started.wait(), 5)
            refused = await http.post(gate.url, json=INITIALIZE)
            assert (refused.status_code, reason_of(refused)) == (429, "TOO_MANY_SESSIONS")


async def test_a_caller_has_so_many_requests_open() -> None:
    async with AsyncExitStack() as stack:
        gate = await stack.enter_async_context(mcp_gateway(calls_per_caller=3))
        async with gate.raw() as http, gate.raw(OTHER) as other:
            # Requests that were just answered count for a moment more.
            for headers in [await begun(http, gate.url) for _ in range(3)]:
                await stack.enter_async_context(http.stream("GET", gate.url, headers=headers))
            refused = await http.post(gate.url, json=PING, headers=headers)
            assert (refused.status_code, reason_of(refused)) == (429, "TOO_MANY_CALLS")
            assert (await other.post(gate.url, json=INITIALIZE)).status_code == 200


async def test_a_revoked_key_hears_no_more(gate: McpGateway) -> None:
    async with gate.raw() as http:
        headers = await begun(http, gate.url)
        async with http.stream("GET", gate.url, headers=headers) as listening:
            del gate.keys.keys[OWNER]
            with pytest.raises(httpx2.TransportError):
                await asyncio.wait_for(listening.aread(), 5)


async def test_the_server_ends_without_waiting_for_those_who_listen(gate: McpGateway) -> None:
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(gate.raw())
        headers = await begun(http, gate.url)
        listening = await stack.enter_async_context(http.stream("GET", gate.url, headers=headers))
        client = await stack.enter_async_context(gate.client())
        subscription = await stack.enter_async_context(client.listen(tools_list_changed=True))
        async with asyncio.timeout(5):
            await gate.edge.stop(60)
            assert await listening.aread() == b""
            heard: list[Any] = [event async for event in subscription]
        assert heard == []
